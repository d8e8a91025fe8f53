{# Kinds of activities in which shares come or go for money, or for what they had cost. #}
{% macro kinds_of_priced_shares() -%}
    ('transfer', 'cash_in_lieu', 'delisting', 'external_trade', 'bust')
{%- endmacro %}

{# What an account costs; interest that is earned is a negative cost. #}
{% macro kinds_of_fees() -%}
    ('fee_sec', 'fee_taf', 'fee', 'interest')
{%- endmacro %}

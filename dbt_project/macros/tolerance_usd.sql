{#- The ledger rounds each amount to 1e-6; half a cent is more than any sum of such roundings and less than any error. -#}
{% macro tolerance_usd() -%}0.005{%- endmacro %}

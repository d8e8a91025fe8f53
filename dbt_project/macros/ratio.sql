{#- A quotient that is null instead of an error where the denominator is zero. -#}
{% macro ratio(numerator, denominator) -%}
    ({{ numerator }})::double precision / nullif(({{ denominator }})::double precision, 0)
{%- endmacro %}

{#- Compounded growth of returns, 1 = unchanged; stays at 0 after ruin. An aggregate, or a running value with `over`. -#}
{% macro growth(return_column, over='') -%}
    case
        when bool_or({{ return_column }} <= -1) {{ over }} then 0
        else exp(sum(ln(greatest(1 + {{ return_column }}, 1e-300))) {{ over }})
    end
{%- endmacro %}

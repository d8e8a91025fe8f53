{#- Shares as a change of the position: sells are negative. -#}
{% macro signed_qty(side='side', qty='qty') -%}
    case {{ side }} when 'buy' then {{ qty }} else -{{ qty }} end
{%- endmacro %}

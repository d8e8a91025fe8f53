{#- Whose the account's money is that no strategy uses or bears; no strategy can have a name with parentheses. -#}
{% macro unallocated() -%}'(unallocated)'{%- endmacro %}

"""`python -m trading_assets.cli`: the same as `trading`."""

from trading_assets.cli import main

main()

"""Memory that will be needed soon, and is asked for before it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_READ, _SOON_AGAIN, _DATA = 0, 3, 1


def _fetch(_context: Any, array: Any, _row: Any, _column: Any) -> Any:
    """The type of `fetch_early`, and what writes its code: one instruction of LLVM, and none that waits."""
    tools: Any = cgutils

    def write(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        of = signature.args[0]
        held = target.make_array(of)(target, builder, arguments[0])
        place = builder.bitcast(tools.get_item_pointer(target, builder, of, held, arguments[1:]), tools.voidptr_t)
        flags = [tools.int32_t(one) for one in (_READ, _SOON_AGAIN, _DATA)]
        asked = tools.ir.FunctionType(tools.ir.VoidType(), [place.type, *(flag.type for flag in flags)])
        builder.call(tools.get_or_insert_function(builder.module, asked, "llvm.prefetch.p0"), [place, *flags])
        return target.get_dummy_value()

    return types.void(array, types.intp, types.intp), write


fetch_early = cast(Callable[[Any, int, int], None], intrinsic(_fetch))
"""Ask for an element of an array of two dimensions before it is needed; one beyond the end is never read."""

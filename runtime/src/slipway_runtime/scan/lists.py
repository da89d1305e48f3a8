"""The names themselves: what a fitted model is made of.

A name that is missing here costs somebody a refusal that says its name; one too many costs
nothing but the explanation, since the sandbox holds either way.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_STANDARD: Final = {
    "_codecs": "encode",
    "array": "array _array_reconstructor",
    "builtins": (
        "bool bytearray bytes complex dict float frozenset int list object set slice str tuple type"
        " range Ellipsis NotImplemented abs len max min round sorted sum str.lower str.upper"
        " str.strip str.casefold str.title str.split"
    ),
    "collections": "Counter OrderedDict defaultdict deque",
    "copyreg": "__newobj__ __newobj_ex__ _reconstructor",
    "datetime": "date datetime time timedelta timezone",
    "decimal": "Decimal",
    "fractions": "Fraction",
    "functools": "partial",
    "logging": "getLogger",
    "math": "ceil cos exp fabs floor log log10 log1p log2 sin sqrt tan tanh",
    "operator": "itemgetter",
    "_operator": "itemgetter",
    "pathlib": "Path PosixPath PurePath PurePosixPath PureWindowsPath WindowsPath",
    "random": "Random",
    "re": "_compile",
    "types": "SimpleNamespace",
    "uuid": "UUID",
    "zoneinfo": "ZoneInfo ZoneInfo._unpickle",
    # joblib describes arrays with the one; a pipeline's cache is the others
    "joblib.numpy_pickle": "NumpyArrayWrapper",
    "joblib.memory": "Memory",
    "joblib._store_backends": "FileSystemStoreBackend",
    # numpy's own ways back from a pickle
    "numpy.core.multiarray": "_reconstruct scalar",
    "numpy._core.multiarray": "_reconstruct scalar",
    "numpy.core.numeric": "_frombuffer",
    "numpy._core.numeric": "_frombuffer",
    "numpy.random._pickle": "__randomstate_ctor __generator_ctor __bit_generator_ctor",
    "numpy.random.mtrand": "RandomState",
    "numpy.random._generator": "Generator",
    "numpy.random._mt19937": "MT19937",
    "numpy.random._pcg64": "PCG64 PCG64DXSM",
    "numpy.random._philox": "Philox",
    "numpy.random._sfc64": "SFC64",
    "numpy.random.bit_generator": "SeedSequence __pyx_unpickle_SeedSequence",
    "numpy.random._bounded_integers": "",
    "numpy.matrixlib.defmatrix": "matrix",
    "numpy.ma.core": "MaskedArray MaskedConstant _mareconstruct",
    "numpy.ma": "MaskedArray",
    "numpy.rec": "recarray record",
}


def _names(table: dict[str, str]) -> Iterator[tuple[str, str]]:
    for module, names in table.items():
        for name in names.split():
            yield module, name


PLAIN: Final = frozenset(_names(_STANDARD))

# A ufunc is stored by its name, and may be found in more than one of numpy's modules.
NUMPY_MODULES: Final = frozenset({
    "numpy", "numpy.core._multiarray_umath", "numpy._core._multiarray_umath",
    "numpy.core.fromnumeric", "numpy._core.fromnumeric", "numpy.core.umath", "numpy._core.umath",
    "numpy.core.numeric", "numpy._core.numeric", "numpy.lib.function_base",
    "numpy.lib._function_base_impl", "numpy.lib._nanfunctions_impl", "numpy.lib.nanfunctions",
    "numpy.lib._type_check_impl", "numpy.lib.type_check", "numpy.core.records",
    "numpy._core.records",
    # numpy under the names of the array API, as splines hold it
    "scipy._lib.array_api_compat.numpy", "scipy._lib.array_api_compat.numpy._aliases",
    "sklearn.externals.array_api_compat.numpy", "sklearn.externals.array_api_compat.numpy._aliases",
})  # fmt: skip
_NUMPY: Final = """
ndarray dtype matrix recarray record number integer floating inexact generic signedinteger
unsignedinteger complexfloating flexible character bool bool_ int8 int16 int32 int64 intc intp
int_ uint8 uint16 uint32 uint64 uintc uintp uint longlong ulonglong byte short ubyte ushort
float16 float32 float64 float128 longdouble half single double complex64 complex128 complex256
clongdouble csingle cdouble float_ complex_ object_ str_ bytes_ unicode_ string_ void datetime64
timedelta64 abs absolute acos acosh add arccos arccosh arcsin arcsinh arctan arctan2 arctanh
asin asinh atan atan2 atanh bitwise_and bitwise_count bitwise_invert bitwise_not bitwise_or
bitwise_xor cbrt ceil conj conjugate copysign cos cosh deg2rad degrees divide divmod equal exp
exp2 expm1 fabs float_power floor floor_divide fmax fmin fmod frexp gcd greater greater_equal
heaviside hypot invert isfinite isinf isnan isnat lcm ldexp left_shift less less_equal log log10
log1p log2 logaddexp logaddexp2 logical_and logical_not logical_or logical_xor matmul matvec
maximum minimum mod modf multiply negative nextafter not_equal positive pow power rad2deg
radians reciprocal remainder right_shift rint sign signbit sin sinh spacing sqrt square subtract
tan tanh true_divide trunc vecdot vecmat all amax amin angle any append argmax argmin argsort
around array asarray ascontiguousarray asfortranarray asanyarray astype atleast_1d atleast_2d
average clip column_stack concatenate corrcoef cov cross cumprod cumsum diff digitize dot
expand_dims fix flip fliplr flipud hstack imag inner interp isclose isin isneginf isposinf
isreal linspace max mean median min nan_to_num nanargmax nanargmin nancumprod nancumsum nanmax
nanmean nanmedian nanmin nanpercentile nanprod nanquantile nanstd nansum nanvar ones ones_like
outer percentile polyval prod ptp quantile ravel real repeat reshape roll round sinc sort split
squeeze stack std sum swapaxes take tile transpose unique unwrap var vstack where zeros
zeros_like
"""
NUMPY_FUNCTIONS: Final = frozenset(_NUMPY.split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """Where in a library models live.

    Attributes:
        only: the packages right below the top that count; None: all.
        never: packages (below the top) that do not, since they read, write, fetch or run.
        functions: which names beside classes may be held.
    """

    only: frozenset[str] | None = None
    never: tuple[str, ...] = ()
    functions: re.Pattern[str] = re.compile(r"__pyx_unpickle_\w+")


_ANY: Final = re.compile(r"\w+")
_SCIPY: Final = frozenset(
    {"cluster", "interpolate", "linalg", "optimize", "sparse", "spatial", "special", "stats"}
)

LIBRARIES: Final = {
    "sklearn": Library(
        never=(
            "conftest", "datasets", "experimental", "externals", "show_versions", "tree._export",
            "utils._estimator_html_repr", "utils._mocking", "utils._show_versions",
            "utils._testing", "utils.estimator_checks", "_build_utils", "__check_build", "tests",
        ),
        functions=_ANY,
    ),
    "scipy": Library(
        only=_SCIPY,
        functions=re.compile(r"[a-z]\w*|__pyx_unpickle_\w+"),
    ),
    "pandas": Library(
        only=frozenset({"_libs", "core", "", "tseries"}),
        never=("core.computation", "core.util", "_libs.parsers"),
        functions=re.compile(r"_new_\w+|new_block|_unpickle_\w+|__pyx_unpickle_\w+"),
    ),
    "skl2onnx": Library(only=frozenset({"sklapi"})),
    "skops": Library(only=frozenset()),
    "joblib": Library(only=frozenset()),
    "xgboost": Library(only=frozenset({"core", "sklearn", "callback", "compat"})),
    "lightgbm": Library(only=frozenset({"basic", "sklearn", "callback", "compat"})),
    "catboost": Library(only=frozenset({"core", "_catboost", ""})),
    "imblearn": Library(never=("datasets", "utils.testing", "utils.estimator_checks")),
}  # fmt: skip

# Often installed beside a model's libraries, part of none, and made to run what they are given.
RUNNERS: Final = frozenset({
    "IPython", "_distutils_hack", "_pytest", "cloudpickle", "dask", "dill", "distributed",
    "fsspec", "gevent", "huggingface_hub", "ipykernel", "jinja2", "keras", "lib2to3", "mlflow",
    "multiprocess", "numexpr", "paramiko", "pexpect", "pip", "pkg_resources", "psutil",
    "ptyprocess", "pytest", "ray", "requests", "setuptools", "slipway_operator", "slipway_runtime",
    "sympy",
    "tensorflow", "torch", "torchvision", "transformers", "urllib3", "uv", "wheel",
})  # fmt: skip

import pytest

from lakehouse_assets import errors


@pytest.mark.parametrize(
    ("ours", "builtin"),
    [
        (errors.InvalidData, ValueError),
        (errors.NotFound, FileNotFoundError),
        (errors.StorageError, OSError),
        (errors.NotJson, TypeError),
        (errors.WrongType, TypeError),
        (errors.ElementExists, KeyError),
    ],
)
def test_an_error_is_also_the_built_in_one_and_shows_its_message(
    ours: type[errors.LakehouseError], builtin: type[Exception]
) -> None:
    with pytest.raises(builtin) as caught:
        raise ours("what to do next")
    assert isinstance(caught.value, errors.LakehouseError)
    assert str(caught.value) == "what to do next"

"""What a crawl does with files that are archived already."""

from enum import StrEnum


class HandleExistingMode(StrEnum):
    """
    Which files a crawl skips; both spellings are read: `skip-path` and `skip_path`.

    `overwrite` skips none, `skip_checksum` those whose content is archived, `skip_path` those whose path is.
    """

    overwrite = "overwrite"
    skip_checksum = "skip-checksum"
    skip_path = "skip-path"

    @classmethod
    def _missing_(cls, value: object) -> "HandleExistingMode | None":
        # pydantic looks here, too, before it complains
        name = str(value).replace("_", "-").lower()
        return next((mode for mode in cls if mode.value == name), None)

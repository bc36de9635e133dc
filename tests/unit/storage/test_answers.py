"""What is said of an object store that refuses."""

import pytest

from lakehouse_assets.storage.answers import explain_text

DOWN = (
    "Error performing GET http://127.0.0.1:9/bucket/_last_checkpoint in {took}, after 1 retries, max_retries 1 - "
    "HTTP error error sending request tcp connect error Connection refused (os error 111)"
)


@pytest.mark.parametrize("took", ["102.350131ms", "501.2ms", "1.501s", "403.503µs", "96ms"])
def test_how_long_it_took_is_not_taken_for_a_code(took):
    assert "see that the store is up" in explain_text(DOWN.format(took=took))


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("Server returned error status 501 Not Implemented", "take a store"),
        ("response error 503, after 10 retries", "the store is overloaded"),
        ("Client error with status 403 Forbidden: No Body", "check AWS_ACCESS_KEY_ID"),
    ],
)
def test_a_code_without_words_is_understood(said, advice):
    assert f"; {advice}" in explain_text(said)

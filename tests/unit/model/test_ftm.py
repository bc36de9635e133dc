import json

from followthemoney import model
from followthemoney.types import registry

from lakehouse_assets.model.ftm import _read, ftm_model


def test_the_model_is_that_of_followthemoney():
    found = ftm_model()
    assert sorted(found.schemata) == sorted(model.schemata)
    for name, schema in found.schemata.items():
        theirs = model.get(name)
        assert (schema.label, schema.plural, schema.abstract) == (
            theirs.label,
            theirs.plural,
            theirs.abstract,
        )
        assert list(schema.caption) == list(theirs.caption)
        assert {other for other in model.schemata if schema.is_a(other)} == {
            other for other in model.schemata if theirs.is_a(other)
        }
        assert {prop.name: (prop.type, prop.format) for prop in schema.properties} == {
            key: (prop.type.name, prop.format) for key, prop in theirs.properties.items() if not prop.stub
        }
    assert found.countries == registry.country.names
    assert found.mime_types["text/csv"] == registry.mimetype.caption("text/csv")


def test_the_model_is_kept_for_the_next_process_and_read_back_the_same(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    ftm_model.cache_clear()
    made = ftm_model()
    ftm_model.cache_clear()
    [kept] = (tmp_path / "lakehouse-assets").iterdir()
    assert ftm_model() == made == _read()
    kept.write_text("{broken")
    ftm_model.cache_clear()
    assert ftm_model() == made
    assert json.loads(kept.read_text())["schemata"]


def test_a_cache_folder_that_cannot_be_written_costs_time_and_nothing_else(tmp_path, monkeypatch):
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(in_the_way))
    ftm_model.cache_clear()
    assert "Person" in ftm_model().schemata
    monkeypatch.undo()
    ftm_model.cache_clear()

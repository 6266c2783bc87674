"""Secrets, from where a row says that they are."""

import json
from pathlib import Path

import pytest
from pytest_django import Settings

import credentials

KEYS = {"access_key": "AK", "secret_key": "SK"}
FOUND = KEYS | {"session_token": ""}


class TestStorageKeys:
    def test_come_from_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CDN_ACCESS_KEY", "AK")
        monkeypatch.setenv("CDN_SECRET_KEY", "SK")

        assert credentials.storage_keys("env:CDN") == FOUND

    def test_come_from_a_file(self, tmp_path: Path) -> None:
        file = tmp_path / "keys.json"
        file.write_text(json.dumps(KEYS | {"session_token": "T"}))

        assert credentials.storage_keys(f"file:{file}") == KEYS | {"session_token": "T"}

    def test_come_from_the_settings(self, settings: Settings) -> None:
        settings.CREDENTIALS = {"cdn": KEYS}

        assert credentials.storage_keys("settings:cdn") == FOUND

    @pytest.mark.parametrize("reference", ["env:NOBODY", "settings:nobody", "file:/nowhere.json"])
    def test_that_are_not_there_are_named_without_a_secret(self, reference: str) -> None:
        with pytest.raises(credentials.CredentialsMissing):
            credentials.storage_keys(reference)

    def test_need_both_parts(self, settings: Settings) -> None:
        settings.CREDENTIALS = {"cdn": {"access_key": "AK"}}

        with pytest.raises(credentials.CredentialsMissing) as missing:
            credentials.storage_keys("settings:cdn")

        assert "AK" not in str(missing.value)


class TestPassword:
    def test_comes_from_a_variable_or_an_entry(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DATABASE_PASSWORD", "high water")
        settings.CREDENTIALS = {"shop": {"password": "low water"}}

        assert credentials.password("env:DATABASE_PASSWORD") == "high water"
        assert credentials.password("settings:shop") == "low water"

    def test_that_is_empty_is_missing(self, settings: Settings) -> None:
        settings.CREDENTIALS = {"shop": {"password": ""}}

        with pytest.raises(credentials.CredentialsMissing):
            credentials.password("settings:shop")

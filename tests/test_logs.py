"""Log lines are JSON and hold nothing that names a person."""

import json
import logging

from django.db import IntegrityError

from oms.logs import JsonFormatter


def written(message: str, **fields: object) -> dict:
    record = logging.LogRecord("oms.test", logging.ERROR, __file__, 1, message, (), fields.pop("exc_info", None))
    for name, value in fields.items():
        setattr(record, name, value)
    return json.loads(JsonFormatter().format(record))


def test_a_line_is_one_json_object_with_the_callers_data():
    line = written("task done", data={"job": 7, "rows": 1000})
    assert (line["level"], line["logger"], line["message"]) == ("ERROR", "oms.test", "task done")
    assert (line["job"], line["rows"]) == (7, 1000)


def test_telephone_numbers_and_mail_addresses_are_removed():
    line = written("call 010-1234-5678 or 0505 123 4567, mail hong@example.com", data={"note": "02-123-4567"})
    assert line["message"] == "call <phone> or <phone>, mail <email>"
    assert line["note"] == "<phone>"


def test_the_row_that_a_database_error_repeats_is_removed():
    name = "홍" + "길동"  # a traceback repeats source lines, so the value must not stand in one
    try:
        raise IntegrityError(f"duplicate key value\nDETAIL:  Key (name)=({name}) already exists.\n")
    except IntegrityError as error:
        line = written("failed", exc_info=(type(error), error, error.__traceback__))
    assert name not in json.dumps(line, ensure_ascii=False)
    assert "duplicate key value" in line["traceback"]

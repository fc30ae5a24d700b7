"""Runs what README.md says of the extracts, from their folder: every line of its section's code counts rides by gender, and
all of them have to count what the CSV files have. Excel is not here: its query is read for what it asks of a reader, and a
reader that does just that reads the file."""

import csv
import glob
import importlib
import re
import shlex
import subprocess
import sys
from collections import Counter
from pathlib import Path

SECTION = "### Extracts: Tableau, notebooks, spreadsheets"


def blocks(readme):
    """The section's code, by language."""
    section = readme.split(SECTION, 1)[1].split("\n### ", 1)[0]
    found = re.findall(r"```(\w*)\n(.*?)```", section, re.DOTALL)
    assert [language for language, _ in found] == ["sh", "python", ""], found
    return [code.strip().splitlines() for _, code in found]


def counted(files, column, **options):
    """How often each value is in a column of CSV files."""
    counts = Counter()
    for file in glob.glob(files):
        with open(file, newline="", **options) as rows:
            counts.update(row[column] for row in csv.DictReader(rows))
    assert counts, files
    return dict(counts)


def of_duckdb(line):
    """What DuckDB's own program prints."""
    program, *arguments = shlex.split(line)
    program = Path(sys.executable).with_name(program)
    printed = subprocess.run([program, "-csv", *arguments], capture_output=True, text=True, check=True).stdout
    return {row["gender"]: int(row["rides"]) for row in csv.DictReader(printed.splitlines())}


def of_pandas(series):
    return {gender: int(rides) for gender, rides in series.items()}


def of_polars(frame):
    return dict(frame.iter_rows())


def of_spark(rows):
    return {row["gender"]: row["count"] for row in rows}


def session():
    """A session of Spark, as its own shell has one."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    spark = builder.config("spark.sql.session.timeZone", "UTC").getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def excel(line):
    """The rows of the file that the query names, read as the query says."""
    asked = dict(re.findall(r"(\w+)=\"?([\w.,]+?)\"?[,\]]", line[line.index("[") :]))
    assert asked == {"Delimiter": ",", "Encoding": "65001", "QuoteStyle": "QuoteStyle.Csv"}, asked
    file = re.search(r'"[^"]*\\(tableau\\[^"]+)"', line).group(1).replace("\\", "/")
    assert not Path(file).read_bytes().startswith(b"\xef\xbb\xbf")
    with open(file, newline="", encoding="utf-8", errors="strict") as rows:
        return list(csv.DictReader(rows, strict=True))


def main():
    readme = Path(sys.argv[1]).read_text(encoding="utf-8")
    shell, python, [query] = blocks(readme)
    expected = counted("tableau/rides/*.csv", "gender", encoding="utf-8")
    print(f"by their CSV: {expected}")
    told = {}
    for line in shell:
        told[line] = of_duckdb(line)
    readers = {"pandas": of_pandas, "polars": of_polars, "spark": of_spark}
    for line in python:
        tool = re.search(r"\b(pandas|polars|spark)\.", line).group(1)
        names = {"glob": glob, tool: session() if tool == "spark" else importlib.import_module(tool)}
        told[line] = readers[tool](eval(line, names))
    for line, counts in told.items():
        assert counts == expected, f"{line}: {counts}"
        print(f"as it should be: {line}")

    import pandas

    riders = pandas.read_parquet("tableau/riders.parquet")
    rows = excel(query)
    assert list(rows[0]) == list(riders.columns), rows[0]
    assert [row["age_band"] for row in rows] == list(riders["age_band"])
    assert any("–" in row["age_band"] for row in rows)
    print(f"as it should be: {query}")


main()

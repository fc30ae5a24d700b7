"""The bench's yardstick: a service of FastAPI and DuckDB that answers the same requests from the same database.

Written as somebody would who knows both: SQL over the table of rides, a cursor for each thread, rows made JSON by orjson.
It reads sealed history alone, and nobody writes meanwhile.
"""

import os
import threading
from typing import Annotated

import duckdb
import orjson
from fastapi import FastAPI, HTTPException, Query, Response

From = Annotated[str, Query(alias="from")]
To = Annotated[str, Query(alias="to")]

RIDE = """
    ride_id::varchar as ride_id, business_day::varchar as business_day, bike_serial, ride.rider_id,
    strftime(started_at, '%Y-%m-%dT%H:%M:%S.%fZ') as started_at, strftime(ended_at, '%Y-%m-%dT%H:%M:%S.%fZ') as ended_at,
    end_reason, is_partial, duration_seconds, reading_count, energy_kilojoules, power_watts_mean, power_watts_min,
    power_watts_max, heart_rate_bpm_mean, heart_rate_bpm_min, heart_rate_bpm_max, dropout_seconds, cadence_rpm_mean,
    cadence_rpm_min, cadence_rpm_max, resistance_mean, resistance_min, resistance_max, flagged_readings, alert_count
"""

MEASURES = {
    "rides": "count(*)",
    "duration": "sum(duration_seconds)",
    "energy": "sum(energy_kilojoules)",
    "power_mean": "avg(power_watts_mean)",
    "power_max": "max(power_watts_max)",
}

database = duckdb.connect(os.environ["DATABASE"], read_only=True, config={"memory_limit": "1GB", "threads": 2})
database.execute("set global TimeZone = 'UTC'")
of_thread = threading.local()
app = FastAPI()


def rows(sql: str, values: list) -> list[dict]:
    if not hasattr(of_thread, "cursor"):
        of_thread.cursor = database.cursor()
    found = of_thread.cursor.execute(sql, values)
    names = [column[0] for column in found.description]
    return [dict(zip(names, row)) for row in found.fetchall()]


def answer(value) -> Response:
    return Response(orjson.dumps(value), media_type="application/json")


@app.get("/api/v1/rides/{ride_id}")
def get_ride(ride_id: str):
    found = rows(f"select {RIDE} from historical.ride where ride_id = ?::uuid", [ride_id])
    if not found:
        raise HTTPException(404)
    return answer(found[0])


def conditions(days: tuple, riders: dict) -> tuple[str, list]:
    sql, values = "rider_id is not null", []
    for day, condition in zip(days, ("business_day >= ?::date", "business_day <= ?::date")):
        if day:
            sql, values = f"{sql} and {condition}", [*values, day]
    wanted = {column: value for column, value in riders.items() if value}
    if wanted:
        of_riders = " and ".join(f"lower({column}) = lower(?)" for column in wanted)
        sql += f" and rider_id in (select rider_id from historical.rider where valid_to is null and {of_riders})"
    return sql, [*values, *wanted.values()]


@app.get("/api/v1/rides")
def list_rides(first: From = "", last: To = "", city: str = "", gender: str = "", limit: int = 100):
    where, values = conditions((first, last), {"town": city, "gender": gender})
    sql = f"select {RIDE} from historical.ride where {where} order by ride.ride_id desc limit ?"
    return answer({"items": rows(sql, [*values, limit])})


@app.get("/api/v1/leaderboard")
def leaderboard(
    measure: str = "rides", first: From = "", last: To = "", city: str = "", gender: str = "", limit: int = 100
):
    where, values = conditions((first, last), {"town": city, "gender": gender})
    sql = f"""
        with figures as (
            select rider_id, count(*) as rides, {MEASURES[measure]}::double as value
            from historical.ride where {where} group by rider_id
        ),
        best as (select * from figures where value is not null order by value desc, rider_id limit ?)
        select rank() over (order by value desc) as rank, best.rider_id, name, value, rides
        from best left join historical.rider as rider on rider.rider_id = best.rider_id and valid_to is null
        order by rank, best.rider_id
    """
    return answer({"items": rows(sql, [*values, limit])})

// Find a day by typing, on the index of reports. Without this script the list is complete all the same.
"use strict";
{
  const field = document.getElementById("find");
  const rows = [...document.querySelectorAll("tr[data-day]")];
  const months = [...document.querySelectorAll("details.month")];
  const wasOpen = months.map((month) => month.open);
  const none = document.getElementById("found-none");
  const matching = () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    return rows.filter((row) => words.every((word) => row.dataset.day.includes(word)));
  };
  field.addEventListener("input", () => {
    const found = new Set(matching());
    const isAsked = field.value.trim() !== "";
    for (const row of rows) row.hidden = !found.has(row);
    months.forEach((month, place) => {
      const own = month.querySelectorAll("tr[data-day]");
      month.hidden = isAsked && ![...own].some((row) => !row.hidden);
      month.open = isAsked || wasOpen[place];
    });
    none.hidden = found.size > 0;
  });
  field.addEventListener("keydown", (event) => {
    const [first] = matching();
    const link = event.key === "Enter" && field.value.trim() && first?.querySelector("a");
    if (link) link.click();
  });
  field.closest("p").hidden = false;
}

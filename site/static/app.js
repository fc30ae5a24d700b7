// On every page: the theme switch, the current page in the menu, and on the landing page the numbers of the flow.
"use strict";
(() => {
  const root = document.documentElement;
  const chosen = localStorage.getItem("theme");
  if (chosen) root.dataset.theme = chosen;

  const agoText = (instant, now) => {
    const seconds = Math.max(0, Math.round((new Date(now) - new Date(instant)) / 1000));
    if (seconds < 120) return `${seconds} s ago`;
    if (seconds < 7200) return `${Math.round(seconds / 60)} min ago`;
    if (seconds < 172800) return `${Math.round(seconds / 3600)} h ago`;
    return `${Math.round(seconds / 86400)} days ago`;
  };
  const counts = new Intl.NumberFormat("en-GB");
  const days = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });

  const write = (status, element) => {
    const key = element.dataset.live;
    const value = status[key];
    if (key === "stream_is_connected") {
      element.textContent = value ? "✓ connected" : "△ not connected";
      element.className = `status ${value ? "succeeded" : "unknown"}`;
    } else if (key === "newest_reading_at") {
      element.textContent = value ? agoText(value, status.now) : "none yet";
    } else if (key === "last_sealed_day") {
      element.textContent = value ? days.format(new Date(value)) : "none yet";
    } else {
      element.textContent = value === null ? "–" : counts.format(value);
    }
  };

  document.addEventListener("DOMContentLoaded", () => {
    for (const link of document.querySelectorAll(".bar nav a")) {
      const path = link.getAttribute("href").replace(/\/$/, "");
      if (location.pathname === path || location.pathname.startsWith(`${path}/`)) link.setAttribute("aria-current", "page");
    }
    const theme = document.getElementById("theme");
    const system = matchMedia("(prefers-color-scheme: dark)");
    const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
    const say = () => theme.setAttribute("aria-pressed", String(isDark()));
    say();
    theme.hidden = false;
    theme.addEventListener("click", () => {
      root.dataset.theme = isDark() ? "light" : "dark";
      localStorage.setItem("theme", root.dataset.theme);
      say();
      document.dispatchEvent(new Event("themechange"));
    });
    system.addEventListener("change", say);
    if (!document.querySelector(".flow")) return;
    const refresh = async () => {
      try {
        const response = await fetch("/api/v1/status");
        if (!response.ok) return;
        const status = await response.json();
        for (const element of document.querySelectorAll("[data-live]")) write(status, element);
      } catch {
        // The server is away: the last numbers stay until it is back.
      }
    };
    refresh();
    setInterval(() => document.hidden || refresh(), 2000);
  });
})();

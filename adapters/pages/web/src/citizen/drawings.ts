/** What places and scenes look like, drawn for this page. */

export const PLACE_DRAWINGS: Readonly<Record<string, string>> = {
  code: "M4 4h6v6H4zM14 4h6v6h-6zM4 14h6v6H4zM14 14h2v2h-2zM18 18h2v2h-2zM19 14h1M14 19h1",
  funds: "M4 7h14a2 2 0 0 1 2 2v9a2 2 0 0 1-2 2H6a2 2 0 0 1-2-2V6a2 2 0 0 1 2-2h10v3M16 13.5h.01",
  orders: "M6 3h12v18l-3-2-3 2-3-2-3 2zM9 8h6M9 12h6",
  more: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4 21a8 8 0 0 1 16 0",
  scenes: "M4 6h10M18 6h2M16 4v4M4 12h2M10 12h10M8 10v4M4 18h8M16 18h4M14 16v4",
  cards: "M3 6h18v12H3zM3 10h18M7 15h3",
  disputes: "M4 5h16v11H9l-5 4zM12 8v3M12 13.5h.01",
  family:
    "M8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM16.5 11.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5z" +
    "M2 20a6 6 0 0 1 12 0M14.5 15.2A5 5 0 0 1 22 20",
  visitors: "M6 21V4h10v17M3 21h18M13 12.5h.01",
  guidance: "M5 4h14v16H5zM12 8v6M9 11h6",
  accesses:
    "M2 12s4-6 10-6 10 6 10 6-4 6-10 6S2 12 2 12zM12 14.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5z",
  settings: "M4 20l5-14 5 14M6 15h6M15 20l3-8 3 8M16 17h4",
};

export const SCENE_DRAWINGS: Readonly<Record<string, string>> = {
  bus: "M5 5h14v11H5zM5 11h14M7 16v3M17 16v3M8.5 13.5h.01M15.5 13.5h.01",
  hospital: "M5 4h14v16H5zM12 8v6M9 11h6",
  scenic: "M2 19l7-12 4 7 3-4 6 9z",
  school: "M2 9l10-5 10 5-10 5zM6 12v5c3 2.5 9 2.5 12 0v-5",
  community: "M3 11l9-7 9 7M6 10v10h12V10",
  parking: "M6 4h12v16H6zM10 16V8h3a2.3 2.3 0 0 1 0 4.6h-3",
  venue: "M4 20V9l8-5 8 5v11M9 20v-6h6v6",
  service_window: "M4 5h16v14H4zM4 15h16M9 11h6",
  retail: "M5 9h14l-1 11H6zM9 9a3 3 0 0 1 6 0",
};

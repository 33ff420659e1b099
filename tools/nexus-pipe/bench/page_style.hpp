// The page's style sheet. Nothing in it is fetched from anywhere.
#pragma once

#include <string_view>

namespace nexus::tool::bench {

inline constexpr std::string_view page_style = R"css(
:root {
  color-scheme: light dark;
  --paper: #ffffff; --ink: #1b1d21; --muted: #575c66; --rule: #d8dbe0;
  --soft: #f3f4f6; --s0: #1f5fa8; --s1: #b04c0c; --s2: #23744a; --s3: #85409b;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14161a; --ink: #e6e7ea; --muted: #a2a8b3; --rule: #343941;
    --soft: #1d2026; --s0: #82b4f2; --s1: #f0a062; --s2: #76c99c;
    --s3: #cf9ce1;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 66rem;
  background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", "Liberation Sans",
    sans-serif;
}
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .25rem; }
h2 {
  font-size: 1.2rem; margin: 3rem 0 .5rem; padding-top: .75rem;
  border-top: 1px solid var(--rule);
}
h3 { font-size: 1rem; margin: 0 0 .5rem; }
p { margin: .25rem 0 .75rem; max-width: 44rem; }
.lead, .how, figcaption p { color: var(--muted); }
.how { font-size: .9rem; }
code { font: .9em ui-monospace, "Liberation Mono", monospace;
  overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; margin: 0;
  gap: .2rem 1.25rem; }
dt { color: var(--muted); }
dd { margin: 0; overflow-wrap: anywhere; }
.figures { display: grid; gap: 1rem 2.5rem; margin: 1.25rem 0;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 17rem), 1fr)); }
.figure strong { display: block; font-size: 2rem; line-height: 1.15;
  font-weight: 600; font-variant-numeric: tabular-nums; }
.figure p { font-size: .9rem; margin: .25rem 0; color: var(--muted); }
.share { display: block; height: .5rem; margin: .5rem 0;
  background: var(--soft); border: 1px solid var(--rule); }
.share span { display: block; height: 100%; background: var(--s0); }
figure { margin: 1.75rem 0; display: grid; gap: .75rem 2rem;
  grid-template-columns: minmax(0, 1fr); align-items: start; }
figcaption { grid-column: 1 / -1; }
figcaption p { margin: 0; font-size: .9rem; }
@media (min-width: 52rem) {
  figure { grid-template-columns: minmax(0, 27rem) minmax(0, 1fr); }
}
svg { width: 100%; height: auto; display: block; }
svg text { font-size: 13px; fill: var(--muted); }
svg .value { fill: var(--ink); }
svg .grid { stroke: var(--rule); stroke-width: 1; }
svg .axis { stroke: var(--muted); stroke-width: 1; }
svg .level { stroke: var(--ink); stroke-width: 1; stroke-dasharray: 5 4; }
svg .line { fill: none; stroke-width: 2; }
svg .spread { stroke-width: 1.5; }
svg .dot { stroke: none; }
svg .s0 { stroke: var(--s0); } svg .s0.dot { fill: var(--s0); }
svg .s1 { stroke: var(--s1); } svg .s1.dot { fill: var(--s1); }
svg .s2 { stroke: var(--s2); } svg .s2.dot { fill: var(--s2); }
svg .s3 { stroke: var(--s3); } svg .s3.dot { fill: var(--s3); }
.wide { overflow-x: auto; }
.wide:focus-visible { outline: 2px solid var(--s0); outline-offset: 2px; }
table { border-collapse: collapse; font-size: .875rem; line-height: 1.35;
  font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--muted); padding: 0 0 .35rem; }
th, td { padding: .3rem 1rem .3rem 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--rule); white-space: nowrap; }
th { font-weight: 600; color: var(--muted); }
th:last-child, td:last-child { padding-right: 0; white-space: normal; }
.number { text-align: right; }
ul { padding-left: 1.25rem; max-width: 44rem; }
@media (max-width: 30rem) {
  body { padding: 1.25rem 1rem 3rem; }
  table { font-size: .8125rem; }
  th, td { padding-right: .55rem; }
  dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: .5rem; }
}
@media print { body { max-width: none; } .wide { overflow: visible; } }
)css";

}  // namespace nexus::tool::bench

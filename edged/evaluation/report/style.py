"""The style sheet of a report: light and dark by the reader's own setting, and legible on paper.

The colours of the series are those of Okabe and Ito (2008), which people with any colour vision can tell
apart, darkened or lightened to a contrast of 3:1 or more with the background.
"""

STYLE = """
:root {
  color-scheme: light dark;
  --back: #fff; --text: #1b1f24; --dim: #59636e; --rule: #d1d9e0; --grid: #e6eaef; --panel: #f6f8fa;
  --s0: #0072b2; --s1: #c24e00; --s2: #00805c; --s3: #a3487e; --s4: #8a6d00; --s5: #2d7fa8;
  --bad: #b3261e; --heat: 194, 78, 0;
}
@media (prefers-color-scheme: dark) {
  :root {
    --back: #0d1117; --text: #e6edf3; --dim: #9198a1; --rule: #3d444d; --grid: #262c36; --panel: #151b23;
    --s0: #56b4e9; --s1: #f0883e; --s2: #2fbf91; --s3: #e08bbd; --s4: #e3c644; --s5: #9bc8e6;
    --bad: #ff7b72; --heat: 240, 136, 62;
  }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem; max-width: 82rem; background: var(--back); color: var(--text);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; }
h2 { font-size: 1.2rem; margin: 2.2rem 0 .5rem; padding-top: .8rem; border-top: 1px solid var(--rule); }
h3 { font-size: 1rem; margin: 1.2rem 0 .4rem; }
p { max-width: 62rem; margin: .4rem 0; }
.dim, figcaption { color: var(--dim); font-size: .87rem; }
.bad { color: var(--bad); font-weight: 600; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; margin: .5rem 0; }
th, td { padding: .25rem .7rem; text-align: right; border-bottom: 1px solid var(--grid);
  white-space: nowrap; }
th { color: var(--dim); font-weight: 600; }
thead th { border-bottom: 1px solid var(--rule); vertical-align: bottom; }
th:first-child, td:first-child, .text { text-align: left; }
td.wide { white-space: normal; text-align: left; min-width: 14rem; color: var(--dim); }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(26rem, 100%), 1fr)); gap: 1rem; }
figure { margin: .5rem 0; padding: .8rem; background: var(--panel); border-radius: 8px; overflow-x: auto; }
.plot { display: block; width: 100%; height: auto; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; margin: .3rem 0 0; padding: 0;
  font-size: .85rem; }
.legend li { display: flex; align-items: center; gap: .4rem; }
.sample { width: 28px; height: 10px; }
svg text { font: 12px system-ui, sans-serif; fill: var(--dim); }
svg .label { fill: var(--text); font-size: 13px; }
svg .middle { text-anchor: middle; } svg .end { text-anchor: end; }
svg .grid { stroke: var(--grid); stroke-width: 1; }
svg .mark { stroke: var(--dim); stroke-width: 1; stroke-dasharray: 2 3; }
svg .line { fill: none; stroke-width: 2; stroke-linejoin: round; }
svg .dashed { stroke-dasharray: 5 4; }
svg .area { fill-opacity: .22; stroke: none; }
svg .s0 { --own: var(--s0); } svg .s1 { --own: var(--s1); } svg .s2 { --own: var(--s2); }
svg .s3 { --own: var(--s3); } svg .s4 { --own: var(--s4); } svg .s5 { --own: var(--s5); }
svg .line { stroke: var(--own); } svg .dot { fill: var(--own); } svg .area { fill: var(--own); }
.matrix th span { writing-mode: vertical-rl; transform: rotate(180deg); max-height: 12rem; }
.matrix td { text-align: center; min-width: 2.2rem; border: 1px solid var(--grid); }
.matrix th.corner { color: var(--dim); font-weight: 400; }
.heat0 { background: rgba(var(--heat), .15); } .heat1 { background: rgba(var(--heat), .25); }
.heat2 { background: rgba(var(--heat), .4); } .heat3 { background: rgba(var(--heat), .6); }
@media print { body { max-width: none; } figure { break-inside: avoid; } }
"""

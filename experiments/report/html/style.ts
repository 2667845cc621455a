/** The page's style sheet: from 360 px to a wide screen, light and dark, on paper. */
export const STYLE = `
:root { color-scheme: light dark;
  --paper: #fbfaf7; --card: #ffffff; --ink: #1d2126; --muted: #5f6772; --rule: #dedbd3; --track: #eceae4; --accent: #0b5a8a;
  --blue: #0072b2; --orange: #c77f00; --green: #008a66; --red: #d55e00; --purple: #a8528a; --sky: #2f8fc7;
  --yes: #00795a; --open: #8a6200; --no: #b04300 }
@media (prefers-color-scheme: dark) { :root {
  --paper: #14171b; --card: #1c2026; --ink: #e8e6e1; --muted: #9aa3ae; --rule: #323841; --track: #2a3038; --accent: #7cc4f0;
  --blue: #56b4e9; --orange: #e69f00; --green: #2fc79d; --red: #f5803e; --purple: #dd94c0; --sky: #b9dcf2;
  --yes: #3fd0a6; --open: #e6b94a; --no: #ff9a63 } }
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
  -webkit-text-size-adjust: 100% }
main { max-width: 1240px; margin: 0 auto; padding: 0 clamp(16px, 3vw, 40px) 64px }
h1 { font-size: clamp(1.7rem, 4vw, 2.7rem); line-height: 1.15; letter-spacing: -.02em; margin: .2em 0 .4em; max-width: 24ch; text-wrap: balance }
h2 { font-size: 1.35rem; letter-spacing: -.01em; margin: 0 0 .7rem }
h3 { font-size: 1rem; margin: 1.4rem 0 .5rem }
h3.variation { margin-top: 2.6rem; font-size: 1.08rem }
h2 + h3.variation { margin-top: 0 }
h4 { font-size: .85rem; font-weight: 600; margin: 0 0 .4rem; color: var(--muted) }
section { margin-top: 3.2rem; border-top: 1px solid var(--rule); padding-top: 1.4rem }
.top { padding-top: clamp(28px, 6vw, 72px) }
.kicker { margin: 0; color: var(--accent); font-size: .8rem; font-weight: 600; letter-spacing: .06em; text-transform: uppercase; overflow-wrap: anywhere }
.answer { font-size: clamp(1.08rem, 2vw, 1.35rem); max-width: 62ch; margin: 0 }
.lead { max-width: 70ch; margin: -.3rem 0 1rem; color: var(--muted) }
.note, small { font-size: .78rem; color: var(--muted) }
.note { max-width: 90ch; margin: .8rem 0 0 }
small { display: block; line-height: 1.35; font-weight: 400 }
.prose { max-width: 75ch }
i.swatch { display: inline-block; width: .65em; height: .65em; border-radius: 50%; background: var(--c); margin-right: .45em }

table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums }
.accuracy { table-layout: fixed }
th, td { text-align: left; vertical-align: top; padding: .7rem 1.1rem .7rem 0 }
thead th { font-size: .8rem; color: var(--muted); padding-block: 0 .5rem }
tbody tr { border-top: 1px solid var(--rule) }
tbody th { font-weight: 600; line-height: 1.3 }
td b { font-size: 1.15rem; font-weight: 650 }
.comparisons td b { font-size: 1rem }
.range { color: var(--muted); font-size: .82rem; white-space: nowrap }
.same b, .same .track { opacity: .6 }
.absent { color: var(--muted) }
.against { color: var(--muted) }

.track { position: relative; display: block; height: 8px; margin: .3rem 0; border-radius: 4px; background: var(--track) }
.track .span { position: absolute; top: 0; bottom: 0; min-width: 2px; border-radius: 4px; background: var(--c); opacity: .42 }
.track .mean { position: absolute; top: -2px; bottom: -2px; width: 3px; margin-left: -1.5px; border-radius: 2px; background: var(--c) }
.signed::before { content: ""; position: absolute; left: 50%; top: -4px; bottom: -4px; border-left: 1px dashed var(--muted) }

.cards { display: grid; gap: 14px; grid-template-columns: repeat(auto-fit, minmax(min(100%, 320px), 1fr)) }
.card { --c: var(--open); background: var(--card); border: 1px solid var(--rule); border-left: 4px solid var(--c); border-radius: 8px; padding: 14px 18px }
.card.yes { --c: var(--yes) }
.card.no { --c: var(--no) }
.card header { display: flex; gap: 10px; align-items: baseline; justify-content: space-between }
.card h3 { margin: .5rem 0; line-height: 1.35 }
.card p { margin: 0; font-size: .9rem; color: var(--muted) }
.badge { color: var(--c); font-weight: 700 }
.claim { font: .78rem ui-monospace, monospace; color: var(--muted); overflow-wrap: anywhere }
.lints { border: 1px solid var(--open); border-radius: 8px; padding: 12px 16px 12px 34px; background: var(--card) }

figure { margin: 0 }
.chart { display: block; width: 100%; height: auto; overflow: visible }
.chart text { font: 11px system-ui, sans-serif; fill: var(--muted) }
.chart .label { font-size: 11.5px }
.grid { stroke: var(--rule); stroke-width: 1 }
.axis { stroke: var(--muted); stroke-width: 1 }
.line { fill: none; stroke: var(--c); stroke-width: 2.2; stroke-linejoin: round; stroke-linecap: round }
.whisker { stroke: var(--c); stroke-width: 6; opacity: .34 }
.dot { fill: var(--c); stroke: var(--paper); stroke-width: 1.5 }
.origin { fill: var(--paper); stroke: var(--ink); stroke-width: 2 }
.multiples { display: grid; gap: 26px 30px; grid-template-columns: repeat(auto-fill, minmax(min(100%, 300px), 1fr)); margin-bottom: 1.4rem }
.multiples figcaption { font-weight: 600; font-size: .9rem; margin-bottom: .3rem }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: 4px 20px; margin: 0 0 .9rem; padding: 0; font-size: .85rem }
.legend svg { vertical-align: middle; margin-right: 7px; overflow: visible }

.dots { max-width: 980px }
.group { display: grid; grid-template-columns: 210px 1fr; gap: 4px 20px; padding: .55rem 0; border-top: 1px solid var(--rule) }
.group:first-child { border-top: 0 }
.group-name { font-weight: 600; font-size: .9rem }
.lane { display: grid; grid-template-columns: 64px 1fr; align-items: center }
.lane-name { font-size: .74rem; color: var(--muted) }
.lane .track { margin: 4px 0; background: linear-gradient(to right, var(--rule) 1px, transparent 1px) 0 / 25% 100%, var(--track); border-radius: 0 }
.ruler { position: relative; height: 1.2em; font-size: .74rem; color: var(--muted) }
.ruler span { position: absolute; transform: translateX(-50%) }
.scale { padding-top: 0; border-top: 0 }
.dots figcaption { font-size: .78rem; color: var(--muted) }

.pairs { display: grid; gap: 28px 40px; grid-template-columns: repeat(auto-fill, minmax(min(100%, 560px), 1fr)) }
.pair > div { display: grid; gap: 12px; grid-template-columns: repeat(auto-fit, minmax(min(100%, 250px), 1fr)); align-items: start }
.gallery { display: grid; gap: 20px 32px; grid-template-columns: repeat(auto-fill, minmax(min(100%, 500px), 1fr)) }
.pictures { display: grid; gap: 8px; grid-template-columns: repeat(5, 1fr) }
.pictures img { display: block; width: 100%; height: auto; image-rendering: pixelated; border-radius: 4px; border: 1px solid var(--rule) }
.pictures figcaption { font-size: .72rem; line-height: 1.35; color: var(--muted); margin-top: 4px }
.right { color: var(--yes) }
.wrong { color: var(--no) }

dl { margin: 0 }
dt { font-weight: 600; font-size: .88rem }
dd { margin: 0; overflow-wrap: anywhere }
.settings { display: grid; gap: 16px 32px; grid-template-columns: repeat(auto-fit, minmax(min(100%, 240px), 1fr)) }
.settings dd { color: var(--muted); font-size: .92rem }
summary { cursor: pointer; font-weight: 600; font-size: 1.1rem }
details dl { display: grid; gap: 2px 28px; grid-template-columns: repeat(auto-fill, minmax(min(100%, 340px), 1fr)) }
details dl > div { display: flex; gap: 12px; justify-content: space-between; border-bottom: 1px solid var(--rule); padding: 3px 0; font-size: .86rem }
details dt { font-weight: 400; color: var(--muted); font-size: inherit }
details dd { text-align: right; font-variant-numeric: tabular-nums }
pre { background: var(--track); border-radius: 6px; padding: 10px 14px; overflow-x: auto; font: .86rem ui-monospace, monospace }

@media screen and (max-width: 760px) {
  section { margin-top: 2.2rem }
  table, tbody, tr, td, tbody th { display: block }
  thead { display: none }
  tbody tr { background: var(--card); border: 1px solid var(--rule); border-radius: 8px; padding: 12px 14px; margin-bottom: 12px }
  tbody th { padding: 0 0 .2rem; font-size: 1.02rem }
  td { display: grid; grid-template-columns: 92px auto 1fr; column-gap: 8px; align-items: baseline; padding: .35rem 0 }
  td::before { content: attr(data-label); font-size: .8rem; color: var(--muted); grid-row: span 3 }
  td > .track, td > small { grid-column: 2 / -1 }
  .comparisons td[data-label="compared"] { display: block; font-weight: 600 }
  .comparisons td[data-label="compared"]::before { content: none }
  .against { font-weight: 400 }
  .group { grid-template-columns: 1fr }
  .pictures { gap: 5px }
  .pictures figcaption { font-size: .64rem; overflow-wrap: anywhere }
}
@media print {
  :root { --paper: #fff; --card: #fff; --ink: #000; --muted: #444; --rule: #bbb; --track: #e4e4e4 }
  main { max-width: none; padding: 0 12px }
  body { font-size: 9pt; print-color-adjust: exact; -webkit-print-color-adjust: exact }
  section { margin-top: 1.2rem }
  th, td { padding: .4rem .6rem .4rem 0 }
  td b { font-size: 1rem }
  .range { display: block }
  h2, h3, h4 { break-after: avoid }
  tr, article, figure, .group { break-inside: avoid }
  details::details-content { content-visibility: visible; display: block; height: auto }
}
`

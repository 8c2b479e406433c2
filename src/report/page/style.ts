/** The style sheet of report.html: light and dark, from 320 pixels to a wide screen, and on paper. */
import { customProperties } from '../charts/theme';

export const STYLE = `
:root{color-scheme:light dark;${customProperties('light')}}
@media screen and (prefers-color-scheme:dark){:root{${customProperties('dark')}}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--surface);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,Arial,sans-serif;overflow-wrap:anywhere}
main,header,footer{max-width:1240px;margin:0 auto;padding:0 16px}
header{padding-top:28px}
h1{font-size:1.7rem;line-height:1.2;margin:0 0 4px}
h2{font-size:1.3rem;line-height:1.25;margin:48px 0 8px;padding-top:12px;border-top:1px solid var(--grid)}
h3{font-size:1.05rem;margin:24px 0 6px}
p{margin:0 0 12px;max-width:76ch}
.muted,figcaption small,footer{color:var(--muted)}
a{color:var(--val)}
nav ul{display:flex;flex-wrap:wrap;gap:4px 18px;list-style:none;padding:0;margin:16px 0 0}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,210px),1fr));gap:12px;margin:20px 0;padding:0}
.tile{border:1px solid var(--grid);border-radius:10px;padding:14px 16px;break-inside:avoid}
.tile dt{font-weight:600}
.tile dd{margin:0}
.tile .value{font-size:2.1rem;line-height:1.2;font-weight:650;font-variant-numeric:tabular-nums}
.tile small,.tile .base{font-size:.9rem;display:block;color:var(--muted)}
.tile .base{color:var(--ink);margin-top:6px;padding-top:6px;border-top:1px solid var(--grid)}
.verdict{border-left:4px solid var(--chosen);padding:4px 0 4px 14px;margin:16px 0;max-width:80ch}
.curves{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,400px),1fr));gap:20px;margin-top:12px}
.panels{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(46%,190px),1fr));gap:18px 14px;margin-top:12px}
figure{margin:0;min-width:0;break-inside:avoid}
figure svg{display:block;width:100%;height:auto}
.panels figure svg{max-width:300px}
figcaption{unicode-bidi:isolate;font-weight:600;line-height:1.3}
figcaption small{display:block;font-weight:400;font-size:.86rem}
.scroll{overflow-x:auto;max-width:100%;border:1px solid var(--grid);border-radius:8px}
.scroll:focus-visible,button:focus-visible,a:focus-visible,summary:focus-visible{outline:3px solid var(--chosen);outline-offset:2px}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.88rem;width:100%;overflow-wrap:normal}
th,td{padding:6px 8px;text-align:right;border-top:1px solid var(--grid);white-space:nowrap}
th:first-child,td:first-child{text-align:left}
.labels th,.labels td{padding:6px 5px}
.labels th:first-child{position:sticky;left:0;background:var(--surface);z-index:1}
.name{unicode-bidi:isolate;display:inline-block;width:max-content;max-width:11rem;white-space:normal;overflow-wrap:anywhere}
thead th{border-top:0;white-space:normal;vertical-align:bottom}
th button{font:inherit;font-weight:600;color:inherit;background:none;border:0;padding:4px 0;cursor:pointer;text-align:inherit}
th button::after{content:"\\a0\\2195";color:var(--muted)}
th[aria-sort=ascending] button::after{content:"\\a0\\2191";color:inherit}
th[aria-sort=descending] button::after{content:"\\a0\\2193";color:inherit}
td small{color:var(--muted);display:block}
.facts th{font-weight:500;color:var(--muted);vertical-align:top;text-align:left;white-space:normal;width:34%}
.facts td{text-align:left;white-space:pre-wrap;overflow-wrap:anywhere;vertical-align:top}
.facts{table-layout:fixed;overflow-wrap:anywhere}
.columns{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,460px),1fr));gap:0 32px;align-items:start}
.images{display:grid;grid-template-columns:repeat(auto-fill,minmax(112px,1fr));gap:14px 12px;list-style:none;padding:0;margin:10px 0}
.images li{break-inside:avoid;font-size:.86rem;line-height:1.3}
.images img{display:block;width:100%;height:auto;background:#000;border-radius:6px;margin-bottom:4px}
.images b{display:block}
.maps{grid-template-columns:repeat(auto-fill,minmax(150px,1fr))}
.maps img{image-rendering:pixelated}
.map{position:relative}
.map img+img{position:absolute;inset:0;height:100%;background:none;image-rendering:auto}
.swatch{display:inline-block;width:.8em;height:.8em;border-radius:2px}
.key{display:inline-block;vertical-align:middle}
.path{unicode-bidi:isolate;white-space:normal;overflow-wrap:anywhere}
.numbers dt{font-weight:600;margin-top:8px}
.numbers dd{margin:0;font-variant-numeric:tabular-nums}
details{margin:10px 0}
summary{cursor:pointer;font-weight:600;padding:6px 0}
.note{border:1px solid var(--grid);border-left:4px solid var(--train);border-radius:6px;padding:8px 14px;margin:10px 0}
footer{margin-top:56px;padding-bottom:40px;font-size:.9rem}
@media print{
body{font-size:10.5pt}
nav,th button::after{display:none}
h2,h3,summary{break-after:avoid}
.panels{grid-template-columns:repeat(4,1fr)}
.curves{grid-template-columns:1fr 1fr}
.images{grid-template-columns:repeat(6,1fr)}
.tiles{grid-template-columns:repeat(4,1fr)}
h2+p{break-after:avoid}
.scroll{border:0;overflow:visible}
.labels{font-size:7pt}
.labels th,.labels td{padding:2px 3px}
.labels th:first-child{min-width:0}
}
`;

/** What the page of `export --format web` has beside the style of every page. */
export const WEB_STYLE = `
#drop{display:flex;flex-direction:column;align-items:center;gap:6px;border:2px dashed var(--muted);border-radius:12px;padding:28px 16px;margin:16px 0;cursor:pointer;text-align:center}
#drop.over{border-color:var(--val);background:var(--heat0)}
#drop input{max-width:100%;font:inherit}
#drop:focus-within{outline:3px solid var(--chosen);outline-offset:2px}
.pictures{display:flex;flex-wrap:wrap;gap:16px;align-items:flex-start}
.pictures canvas{display:block;max-width:100%;height:auto;background:#000;border-radius:6px}
#picture{max-height:320px;width:auto}
#seen{width:224px;image-rendering:pixelated}
.scores th,.scores td{white-space:normal}
.scores .bar{width:40%;min-width:70px}
.bar div{position:relative;height:14px;background:var(--grid);border-radius:3px}
.fill{position:absolute;inset:0 auto 0 0;background:var(--val);border-radius:3px}
.positive .fill{background:var(--train)}
.limit{position:absolute;top:-3px;bottom:-3px;width:2px;background:var(--ink)}
.positive th,.positive td{font-weight:650}
select{font:inherit}
@media (max-width:480px){.scores{font-size:.78rem}.scores th,.scores td{padding:6px 3px}.scores .bar{width:18%;min-width:36px}}
`;

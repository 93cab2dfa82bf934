/** Style of the page at `/docs`; light and dark by the reader's own setting. */

export const docsStyle = `
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 18%, transparent);
  --soft: color-mix(in srgb, currentColor 6%, transparent); --accent: #2f7d4f;
  --verb: light-dark(#2f7d4f, #6cc48f); }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1rem; }
header { border-bottom: 1px solid var(--line); padding-bottom: 1rem; }
h1 { font-size: 1.4rem; margin: 0; }
h2 { font-size: 1.15rem; margin: 2rem 0 .25rem; }
p { margin: .25rem 0; }
input, textarea, button { font: inherit; padding: .4rem .6rem; border: 1px solid var(--line);
  border-radius: .3rem; background: transparent; color: inherit; }
header input { width: 100%; margin-top: .5rem; }
details { border: 1px solid var(--line); border-radius: .4rem; margin: .5rem 0; }
summary { cursor: pointer; padding: .5rem .75rem; display: flex; gap: .75rem; flex-wrap: wrap;
  align-items: baseline; }
summary::before { content: "\\25b8"; width: .75rem; }
details[open] > summary::before { content: "\\25be"; }
summary:focus-visible, button:focus-visible, input:focus-visible, textarea:focus-visible {
  outline: 2px solid var(--accent); }
.method { font: 600 .8rem/1 ui-monospace, monospace; color: var(--verb); min-width: 3.2rem; }
.path { font: .95rem/1.4 ui-monospace, monospace; }
.about { color: color-mix(in srgb, currentColor 70%, transparent); }
.access { margin-left: auto; font-size: .8rem; border: 1px solid var(--line); border-radius: 1rem;
  padding: 0 .6rem; }
.body { padding: 0 .75rem .75rem; }
.columns { display: grid; gap: .75rem;
  grid-template-columns: repeat(auto-fit, minmax(18rem, 1fr)); }
h3 { font-size: .85rem; margin: .75rem 0 .25rem; }
pre, textarea { font: .85rem/1.45 ui-monospace, monospace; background: var(--soft); margin: 0;
  padding: .6rem; border-radius: .3rem; width: 100%; overflow: auto; max-height: 24rem; }
textarea { min-height: 6rem; resize: vertical; }
button { background: var(--accent); color: #fff; border: 0; margin: .5rem 0; cursor: pointer; }
ul { margin: .25rem 0; padding-left: 1.2rem; }
`;

/** How the reference looks, by day and by night. */
export const REFERENCE_STYLE = `
:root{color-scheme:light dark;--line:light-dark(#dde1e7,#333a44);--soft:light-dark(#f5f7f9,#1b2027);--text:light-dark(#1c2430,#d9dfe7);--link:light-dark(#0b5cad,#7ab7ff)}
*{box-sizing:border-box}
body{margin:0;display:grid;grid-template-columns:19rem minmax(0,1fr);font:15px/1.55 system-ui,sans-serif;color:var(--text);background:light-dark(#fff,#14181d)}
nav{position:sticky;top:0;height:100vh;overflow:auto;padding:1.2rem;border-right:1px solid var(--line);background:var(--soft);font-size:13px}
nav h1{font-size:1.3rem;margin:0}nav h2{font-size:.75rem;text-transform:uppercase;letter-spacing:.06em;margin:1.2rem 0 .2rem}
nav ul{list-style:none;margin:0;padding:0}nav a{display:block;padding:.12rem 0;white-space:nowrap;overflow:hidden;text-overflow:ellipsis}
main{padding:1.5rem 2.5rem;max-width:62rem}
main>h2{margin-top:3rem;border-bottom:2px solid var(--line)}
section{padding:1rem 0;border-bottom:1px solid var(--line);scroll-margin-top:1rem}
h3{margin:.4rem 0;font-size:1.1rem}h4{margin:1rem 0 .3rem;font-size:.85rem;text-transform:uppercase;letter-spacing:.05em;opacity:.7}
.summary{font-weight:600;margin:.2rem 0}a{color:var(--link);text-decoration:none}a:hover{text-decoration:underline}
code,pre{font-family:ui-monospace,monospace;font-size:.9em}p code,li code,td code,dd code{background:var(--soft);padding:0 .25em;border-radius:3px}
pre{background:var(--soft);border:1px solid var(--line);border-radius:6px;padding:.8rem;overflow:auto;max-height:24rem}
table{border-collapse:collapse;width:100%}td{border-top:1px solid var(--line);padding:.35rem .6rem .35rem 0;vertical-align:top}td:first-child{width:14rem}
small{opacity:.7}dl{margin:0}dt{float:left;clear:left;font-weight:600;width:3rem}dd{margin:0 0 .4rem 3.2rem}
.ok{color:light-dark(#18794e,#5bd39b)}.error{color:light-dark(#b3261e,#ff9a92)}
b.get,b.post,b.put,b.patch,b.delete{font:600 .72em ui-monospace,monospace;text-transform:uppercase;padding:.1em .4em;border-radius:4px;color:#fff;background:#5b6472}
b.get{background:#1f7a4d}b.post{background:#1d5fb4}b.put,b.patch{background:#8a5a00}b.delete{background:#b3261e}
@media(max-width:50rem){body{display:block}nav{position:static;height:auto;max-height:40vh}main{padding:1rem}}`

// Style and script of the console. Served from memory: one executable, no files beside it.

enum ConsoleAssets {
    static let style = """
        :root { --paper: #fbfaf7; --card: #ffffff; --ink: #1d2421; --soft: #66716c; --line: #e4e3dc; --mint: #17936b; --mint-soft: #17936b22; --sky: #8a8f99; --amber: #b4690e; --amber-soft: #b4690e18; }
        @media (prefers-color-scheme: dark) { :root { --paper: #101513; --card: #171d1a; --ink: #e6ebe8; --soft: #8f9b95; --line: #28302c; --mint: #4cc79a; --mint-soft: #4cc79a26; --sky: #7d8590; --amber: #e0a04a; --amber-soft: #e0a04a1c; } }
        * { box-sizing: border-box; }
        body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif; font-variant-numeric: tabular-nums; }
        main { max-width: 1120px; margin: 0 auto; padding: 28px 24px 64px; }
        header { display: flex; align-items: baseline; justify-content: space-between; gap: 16px; flex-wrap: wrap; margin-bottom: 20px; }
        h1 { font-size: 22px; font-weight: 650; letter-spacing: -0.01em; margin: 0; }
        h1 small { font-weight: 400; color: var(--soft); font-size: 15px; margin-left: 6px; }
        .mint { color: var(--mint); }
        .clock { margin: 0; color: var(--soft); }
        .clock time { color: var(--ink); }
        .tag { border: 1px solid var(--line); border-radius: 999px; padding: 1px 9px; margin-left: 6px; font-size: 12.5px; }
        .warnings { list-style: none; margin: 0 0 18px; padding: 10px 14px; border-left: 3px solid var(--amber); background: var(--amber-soft); border-radius: 0 6px 6px 0; }
        .stations { list-style: none; display: grid; grid-template-columns: repeat(6, minmax(max-content, 1fr)); gap: 0; margin: 0 0 26px; padding: 0; background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
        .stations li { padding: 14px 14px 13px 16px; border-left: 1px solid var(--line); position: relative; min-width: 0; }
        .stations li:first-child { border-left: 0; }
        .stations li + li::before { content: ""; position: absolute; left: -5px; top: 22px; width: 8px; height: 8px; background: var(--card); border-top: 1px solid var(--line); border-right: 1px solid var(--line); transform: rotate(45deg); }
        .stations h2 { margin: 0 0 2px; font-size: 12.5px; font-weight: 500; color: var(--soft); }
        .figure { margin: 0; white-space: nowrap; line-height: 1.3; font-size: 21px; font-weight: 600; letter-spacing: -0.01em; }
        .figure span { white-space: nowrap; font-size: 12.5px; font-weight: 400; color: var(--soft); letter-spacing: 0; }
        .detail { contain: inline-size; margin: 3px 0 0; font-size: 12.5px; color: var(--soft); overflow-wrap: anywhere; }
        .alert .figure { color: var(--amber); }
        .bar { display: block; height: 3px; border-radius: 2px; background: var(--line); margin-top: 6px; overflow: hidden; }
        .bar i { display: block; height: 100%; background: var(--mint); }
        figure, section { margin: 0 0 22px; background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 14px 16px 12px; }
        figcaption, section h2 { font-size: 14px; font-weight: 600; margin: 0 0 8px; display: flex; justify-content: space-between; gap: 12px; flex-wrap: wrap; }
        svg { display: block; width: 100%; height: auto; }
        .legend { font-weight: 400; color: var(--soft); font-size: 12.5px; display: flex; gap: 14px; flex-wrap: wrap; }
        .key::before { content: ""; display: inline-block; width: 10px; height: 10px; margin-right: 5px; border-radius: 2px; vertical-align: -1px; }
        .key.m::before { background: var(--mint); }
        .key.s::before { border: 1.5px dashed var(--sky); }
        .key.c::before { height: 0; border-top: 2px solid var(--ink); border-radius: 0; vertical-align: 4px; }
        .key.a::before { border-radius: 50%; background: var(--amber); }
        rect.m { fill: var(--mint); }
        rect.s { fill: none; stroke: var(--sky); stroke-width: 1.2; stroke-dasharray: 4 3; }
        line.c { stroke: var(--ink); stroke-width: 2; }
        circle.a { fill: var(--amber); stroke: var(--card); stroke-width: 2; }
        .grid { stroke: var(--line); stroke-width: 1; }
        .axis { fill: var(--soft); font-size: 12px; }
        .area { fill: var(--mint-soft); }
        .line { fill: none; stroke: var(--mint); stroke-width: 1.6; stroke-linejoin: round; }
        .empty, .note { color: var(--soft); font-size: 13px; margin: 6px 0 0; }
        table { width: 100%; border-collapse: collapse; font-size: 13.5px; }
        th, td { text-align: left; padding: 6px 10px 6px 0; border-top: 1px solid var(--line); font-weight: 400; vertical-align: top; }
        thead th { border-top: 0; color: var(--soft); font-size: 12.5px; padding-top: 0; }
        th[scope=row] { font-weight: 500; white-space: nowrap; }
        .n { text-align: right; white-space: nowrap; }
        td.n:last-child, th.n:last-child { padding-right: 0; }
        td.n + td:not(.n), th.n + th:not(.n) { padding-left: 18px; }
        svg.narrow { display: none; }
        code { font: 12.5px ui-monospace, "SF Mono", "DejaVu Sans Mono", monospace; color: var(--soft); }
        a { color: inherit; text-decoration-color: var(--line); text-underline-offset: 3px; }
        a:hover, a:focus-visible { text-decoration-color: var(--mint); }
        .state { color: var(--soft); }
        .state.settled { color: var(--mint); }
        .state.waiting { color: var(--ink); font-weight: 500; }
        .state.wrong { color: var(--amber); font-weight: 500; }
        .steps { margin: 0; padding-left: 20px; }
        .steps li { margin: 0 0 10px; }
        .steps code { overflow-wrap: anywhere; }
        h1 a { text-decoration: none; }
        .devices small { color: var(--soft); }
        .devices em { color: var(--amber); font-style: normal; }
        .dot { display: inline-block; width: 7px; height: 7px; border-radius: 50%; background: var(--amber); margin-left: 8px; vertical-align: 1px; }
        .dot.on { background: var(--mint); }
        td[data-label="Gateway"] span { white-space: nowrap; }
        @media (max-width: 960px) { .stations { grid-template-columns: repeat(3, minmax(max-content, 1fr)); } .stations li:nth-child(3n+1) { border-left: 0; } .stations li:nth-child(n+4) { border-top: 1px solid var(--line); } .stations li::before { display: none; } }
        @media (max-width: 780px) {
          main { padding: 18px 14px 40px; }
          .stations { grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); }
          .stations li { padding: 12px 10px 12px 12px; }
          .figure { white-space: normal; }
          .stations li:nth-child(3n+1) { border-left: 1px solid var(--line); }
          .stations li:nth-child(odd) { border-left: 0; }
          .stations li:nth-child(n+3) { border-top: 1px solid var(--line); }
          svg.wide-plot { display: none; }
          svg.narrow { display: block; }
          figure { padding: 12px 10px; }
          thead { display: none; }
          tr { display: grid; grid-template-columns: 1fr 1fr; gap: 2px 14px; padding: 9px 0; border-top: 1px solid var(--line); }
          tbody tr:first-child { border-top: 0; padding-top: 0; }
          th, td { border: 0; padding: 0; }
          th[scope=row] { grid-column: 1 / -1; }
          td { display: flex; justify-content: space-between; gap: 8px; min-width: 0; overflow-wrap: anywhere; }
          td span { min-width: 0; text-align: right; overflow-wrap: anywhere; }
          td.wide { grid-column: 1 / -1; }
          td.n + td:not(.n) { padding-left: 0; }
          td::before { content: attr(data-label); color: var(--soft); flex: none; }
        }
        @media (prefers-reduced-motion: no-preference) { .bar i { transition: width .6s linear; } }
        """

    static let script = """
        // Keeps the page current. Without it the page refreshes itself every five seconds.
        (() => {
          const chain = document.getElementById('chain');
          let failures = 0;
          async function refresh() {
            try {
              if (!document.hidden) {
                const answer = await fetch(chain.dataset.fragment, { headers: { Accept: 'text/html' } });
                if (answer.ok) { chain.innerHTML = await answer.text(); failures = 0; } else { failures++; }
              }
            } catch { failures++; }
            setTimeout(refresh, Math.min(30000, 2000 * 2 ** Math.min(failures, 4)));
          }
          setTimeout(refresh, 2000);
        })();
        """
}

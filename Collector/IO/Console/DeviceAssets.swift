// Style and script of the pages on which sites are registered and gateways watched. Served from memory, beside the console's.

enum DeviceAssets {
    static let style = """
        [hidden] { display: none !important; }
        form section h2, .life + h2 { margin-bottom: 10px; }
        .fields { display: grid; grid-template-columns: repeat(auto-fill, minmax(190px, 1fr)); gap: 10px 14px; margin: 0 0 12px; }
        .fields + .fields, .row { border-top: 1px solid var(--line); padding-top: 12px; }
        .field { display: block; font-size: 12.5px; color: var(--soft); min-width: 0; }
        .field input, .field select, .field textarea { display: block; width: 100%; margin: 2px 0; padding: 6px 8px; font: inherit; font-size: 14px; color: var(--ink); background: var(--paper); border: 1px solid var(--line); border-radius: 6px; }
        .field small { display: block; min-height: 1.2em; font-size: 12px; }
        .field.bad { color: var(--amber); }
        .field.bad input, .field.bad select { border-color: var(--amber); }
        input:focus-visible, select:focus-visible, button:focus-visible { outline: 2px solid var(--mint); outline-offset: 1px; }
        button, .button { display: inline-block; font: inherit; font-size: 14px; padding: 7px 14px; border: 1px solid var(--line); border-radius: 6px; background: var(--card); color: var(--ink); text-decoration: none; cursor: pointer; }
        button.main, .button.main { background: var(--mint); border-color: var(--mint); color: #fff; font-weight: 600; }
        .field textarea { resize: vertical; font: 12.5px ui-monospace, "SF Mono", "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
        .drop { border: 1px dashed var(--line); border-radius: 6px; padding: 10px 12px; margin: 0 0 12px; }
        .drop.over { border-color: var(--mint); background: var(--mint-soft); }
        .taken { list-style: none; margin: 0 0 12px; padding: 0; font-size: 13.5px; overflow-wrap: anywhere; }
        .taken strong { font-weight: 600; }
        .check { display: flex; gap: 8px; align-items: baseline; font-size: 14px; margin: 0 0 12px; }
        .command { display: block; padding: 8px 10px; margin: 6px 0; background: var(--paper); border: 1px solid var(--line); border-radius: 6px; overflow-wrap: anywhere; color: var(--ink); user-select: all; }
        .claim { display: grid; grid-template-columns: 190px 1fr; gap: 18px; align-items: start; }
        .qr { background: #fff; border-radius: 6px; padding: 4px; }
        .qr path { fill: #000; }
        .secret { font-size: 16px; color: var(--ink); overflow-wrap: anywhere; font-weight: 600; }
        .words { white-space: pre-wrap; overflow-wrap: anywhere; font: 12.5px/1.5 ui-monospace, "SF Mono", "DejaVu Sans Mono", monospace; margin: 0; color: var(--soft); }
        .life { list-style: none; margin: 0; padding: 0; }
        .life li { position: relative; padding: 0 0 14px 26px; color: var(--soft); }
        .life li::before { content: ""; position: absolute; left: 3px; top: 6px; width: 9px; height: 9px; border-radius: 50%; border: 1.5px solid var(--line); background: var(--card); }
        .life li:not(:last-child)::after { content: ""; position: absolute; left: 8px; top: 20px; bottom: -3px; width: 1.5px; background: var(--line); }
        .life li.done::before { background: var(--mint); border-color: var(--mint); }
        .life li.now::before { border-color: var(--ink); border-width: 2px; }
        .life li.wrong::before { background: var(--amber); border-color: var(--amber); }
        .life li.done strong, .life li.now strong { color: var(--ink); }
        .life li.wrong strong { color: var(--amber); }
        #live > table, #live > .note { margin-top: 10px; }
        .life strong { font-weight: 600; margin-right: 6px; }
        @media (max-width: 620px) { .fields { grid-template-columns: 1fr 1fr; gap: 8px 10px; } .claim { grid-template-columns: 1fr; } .qr { max-width: 240px; } }
        """

    static let script = """
        // A claim code is made here, in the browser: the collector gets the hash of its secret alone. Then the code is shown once, as
        // text and as QR, and the gateway's steps are kept current. Without this script the form gives drafts without a claim.
        (() => {
          const main = document.querySelector('main');
          let code = null;

          // A secret of 20 characters with 5 random bits each (docs/formats/documents.md, claim).
          function secret() {
            const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
            return Array.from(crypto.getRandomValues(new Uint8Array(20)), (byte) => alphabet[byte & 31]).join('');
          }

          async function digest(text) {
            const bytes = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)));
            return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
          }

          // ISO/IEC 18004, version 3, level M: 29 × 29 modules for at most 61 characters of 0-9 A-Z and hyphen.
          function modules(text) {
            const size = 29, dataMax = 44, checkMax = 26;
            const set = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:';
            const bits = [];
            const put = (value, count) => { while (count-- > 0) bits.push((value >> count) & 1); };
            put(2, 4);
            put(text.length, 9);
            for (let i = 0; i + 1 < text.length; i += 2) put(set.indexOf(text[i]) * 45 + set.indexOf(text[i + 1]), 11);
            if (text.length % 2) put(set.indexOf(text[text.length - 1]), 6);
            put(0, 4);
            while (bits.length % 8) bits.push(0);
            const data = [];
            for (let i = 0; i < bits.length; i += 8) data.push(parseInt(bits.slice(i, i + 8).join(''), 2));
            for (let pad = 0xEC; data.length < dataMax; pad ^= 0xEC ^ 0x11) data.push(pad);

            // Reed-Solomon over GF(256).
            const power = [], log = [];
            for (let i = 0, x = 1; i < 255; i++) { power[i] = x; log[x] = i; x <<= 1; if (x > 255) x ^= 0x11D; }
            const times = (a, b) => (a && b ? power[(log[a] + log[b]) % 255] : 0);
            let generator = [1];
            for (let i = 0; i < checkMax; i++) {
              generator = [...generator, 0].map((c, j) => c ^ (j ? times(generator[j - 1], power[i]) : 0));
            }
            const rest = [...data, ...new Array(checkMax).fill(0)];
            for (let i = 0; i < dataMax; i++) {
              const factor = rest[i];
              generator.forEach((c, j) => { rest[i + j] ^= times(c, factor); });
            }
            const words = [...data, ...rest.slice(dataMax)];

            // What every code of this version has: finders, timing, alignment, the dark module, room for the format.
            const grid = Array.from({ length: size }, () => new Array(size).fill(null));
            for (const [row, column] of [[0, 0], [0, size - 7], [size - 7, 0]]) {
              for (let r = -1; r < 8; r++) for (let c = -1; c < 8; c++) {
                if (grid[row + r]?.[column + c] === undefined) continue;
                const ring = Math.max(Math.abs(r - 3), Math.abs(c - 3));
                grid[row + r][column + c] = ring === 4 || ring === 2 ? 0 : 1;
              }
            }
            for (let i = 8; i < size - 8; i++) grid[6][i] = grid[i][6] = 1 - (i % 2);
            for (let r = -2; r < 3; r++) for (let c = -2; c < 3; c++) {
              grid[size - 7 + r][size - 7 + c] = Math.max(Math.abs(r), Math.abs(c)) === 1 ? 0 : 1;
            }
            for (let i = 0; i < 8; i++) {
              for (const [r, c] of [[8, i], [i, 8], [8, size - 1 - i], [size - 1 - i, 8]]) grid[r][c] ??= 0;
            }
            grid[8][8] = 0;
            grid[size - 8][8] = 1;

            const masks = [
              (x, y) => (x + y) % 2, (x, y) => y % 2, (x) => x % 3, (x, y) => (x + y) % 3,
              (x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2, (x, y) => (x * y) % 2 + (x * y) % 3,
              (x, y) => ((x * y) % 2 + (x * y) % 3) % 2, (x, y) => ((x + y) % 2 + (x * y) % 3) % 2,
            ];
            const filled = masks.map((mask, number) => {
              const own = grid.map((row) => [...row]);
              let next = 0;
              for (let right = size - 1; right > 0; right -= 2) {
                if (right === 6) right = 5;
                for (let step = 0; step < size; step++) for (const x of [right, right - 1]) {
                  const y = (right + 1) & 2 ? step : size - 1 - step;
                  if (grid[y][x] !== null) continue;
                  const bit = next < words.length * 8 ? (words[next >> 3] >> (7 - (next & 7))) & 1 : 0;
                  own[y][x] = bit ^ (mask(x, y) === 0 ? 1 : 0);
                  next++;
                }
              }
              // Level M is 00; BCH with 10100110111, masked.
              let check = number;
              for (let i = 0; i < 10; i++) check = (check << 1) ^ ((check >> 9) * 0x537);
              const format = ((number << 10) | check) ^ 0x5412;
              for (let i = 0; i < 15; i++) {
                const bit = (format >> i) & 1;
                const [x, y] = i < 6 ? [8, i] : i < 8 ? [8, i + 1] : i < 9 ? [7, 8] : [14 - i, 8];
                own[y][x] = bit;
                if (i < 8) own[8][size - 1 - i] = bit; else own[size - 15 + i][8] = bit;
              }
              return own;
            });
            // The one with the fewest blocks and runs of one colour: easiest to read.
            const cost = (own) => {
              let sum = 0;
              for (let y = 0; y < size; y++) for (let x = 0; x < size; x++) {
                const same = (dx, dy) => own[y + dy]?.[x + dx] === own[y][x];
                if (same(1, 0) && same(0, 1) && same(1, 1)) sum += 3;
                if ([1, 2, 3, 4].every((i) => same(i, 0))) sum += 3;
                if ([1, 2, 3, 4].every((i) => same(0, i))) sum += 3;
              }
              return sum;
            };
            return filled.reduce((best, own) => (cost(own) < cost(best) ? own : best));
          }

          function picture(text) {
            const grid = modules(text), quiet = 4, side = grid.length + 2 * quiet;
            const space = 'http://www.w3.org/2000/svg';
            const svg = document.createElementNS(space, 'svg');
            svg.setAttribute('viewBox', `0 0 ${side} ${side}`);
            svg.setAttribute('role', 'img');
            svg.setAttribute('aria-label', 'The claim code as QR');
            const path = document.createElementNS(space, 'path');
            path.setAttribute('d', grid.flatMap((row, y) => row.map((dark, x) => (dark ? `M${x + quiet} ${y + quiet}h1v1h-1z` : ''))).join(''));
            svg.append(path);
            return svg;
          }

          \(SignedDraftForm.script)

          // What was put into the page.
          function arrive() {
            const signed = main.querySelector('#signed');
            if (signed) signed.hidden = false;
            for (const place of main.querySelectorAll('[data-origin]')) place.textContent = location.origin;
            const box = main.querySelector('#code');
            if (box && code) {
              const text = `KM1-${code}-${box.dataset.fingerprint}`;
              for (const place of box.querySelectorAll('[data-code]')) place.textContent = text;
              box.querySelector('.qr').replaceChildren(picture(text));
              box.hidden = false;
            }
            code = null;
            const claim = main.querySelector('input[name=claim]');
            if (claim && crypto.subtle) {
              claim.disabled = false;
              main.querySelector('#no-claim').hidden = true;
            }
            choose();
            main.querySelector('[aria-invalid]')?.focus();
          }

          // Fields of a new facility or gateway are shown when a new one is chosen.
          function choose() {
            for (const part of main.querySelectorAll('[data-when]')) {
              part.hidden = main.querySelector(`select[name=${part.dataset.when}]`).value !== '+';
            }
          }

          async function hand(form, button) {
            const fields = new URLSearchParams(new FormData(form));
            if (button?.name) fields.set(button.name, button.value);
            let own = null;
            if (!button?.name && form.elements.claim?.checked) {
              own = secret();
              fields.set('secret', await digest(own));
            }
            const answer = await fetch(form.action, { method: 'POST', body: fields, headers: { Accept: 'text/html' } });
            const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
            const next = page.querySelector('main');
            if (!next) throw new Error(`the house answered ${answer.status}`);
            code = own;
            main.replaceChildren(...next.childNodes);
            if (!button?.name) window.scrollTo(0, 0);
            arrive();
          }

          main.addEventListener('change', choose);
          main.addEventListener('submit', async (event) => {
            event.preventDefault();
            const isSigned = 'signed' in event.target.dataset;
            const trouble = event.target.querySelector('.warnings');
            try { await (isSigned ? submitSigned : hand)(event.target, event.submitter); } catch (error) {
              trouble.textContent = isSigned ? `Not taken. ${error.message}` : `Not sent: ${error.message}. Try again.`;
              trouble.hidden = false;
            }
          });

          let failures = 0;
          async function follow() {
            const live = main.querySelector('#live');
            try {
              if (live && !document.hidden) {
                const answer = await fetch(live.dataset.fragment, { headers: { Accept: 'text/html' } });
                if (answer.ok) { live.innerHTML = await answer.text(); failures = 0; } else { failures++; }
              }
            } catch { failures++; }
            setTimeout(follow, Math.min(30000, 2000 * 2 ** Math.min(failures, 4)));
          }
          arrive();
          follow();
        })();
        """
}

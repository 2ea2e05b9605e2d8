// Where a draft comes back to the house with the signatures that it needs: a part of /devices/new. Needs JavaScript, because the
// operator's token goes into a header, which no form of another page can send.

enum SignedDraftForm {
    static let section = """
        <section id="signed" hidden><h2>Hand in a signed draft <span class="legend">with the signatures of a root key and two persons</span></h2>
        <form data-signed action="/devices/draft" novalidate>
        <div class="drop"><label class="field">Signed file, or copies that were signed apart<input type="file" name="files" multiple><small>choose them, or drop them here</small></label></div>
        <div class="fields">\
        <label class="field">Or in base64<textarea name="pasted" rows="2" spellcheck="false" autocomplete="off"></textarea><small>what <code>base64 -w0 FILE</code> prints, one copy a line</small></label>\
        <label class="field">Operator's token<input type="password" name="token" autocomplete="off"><small>leave it empty where a proxy sends it</small></label></div>
        <p class="warnings" role="alert" hidden></p>
        <ul class="taken" role="status" hidden></ul>
        <p><button class="main">Hand it in</button></p>
        </form></section>
        <noscript><p class="note">A signed draft is handed in with JavaScript, or: <code>kilomint-collector device submit FILE --url URL --token-file FILE</code></p></noscript>
        """

    /// Part of the pages' script. `main` is the page's; calls nothing of the rest.
    static let script = """
        // A signed draft, as files or as base64, goes to the house with the operator's token; what became of each registration is
        // shown. Texts come from whoever made the draft: they are text here, never markup.
        const draftBytesMax = 1 << 20;

          async function base64(file) {
            if (file.size > draftBytesMax) throw new Error(`${file.name} has more than 1 MiB: that is no draft`);
            const bytes = new Uint8Array(await file.arrayBuffer());
            let text = '';
            for (let i = 0; i < bytes.length; i += 4096) text += String.fromCharCode(...bytes.subarray(i, i + 4096));
            return btoa(text);
          }

          async function submitSigned(form) {
            const [trouble, list] = [form.querySelector('.warnings'), form.querySelector('.taken')];
            trouble.hidden = list.hidden = true;
            const lines = await Promise.all(Array.from(form.elements.files.files, base64));
            lines.push(...form.elements.pasted.value.split('\\n').map((line) => line.trim()).filter((line) => line));
            if (!lines.length) throw new Error('choose the file that was signed, or paste it in base64');
            const headers = { Accept: 'application/json', 'Content-Type': 'text/plain' };
            if (form.elements.token.value) headers.Authorization = `Bearer ${form.elements.token.value.trim()}`;
            const answer = await fetch(form.action, { method: 'POST', body: lines.join('\\n'), headers });
            const said = await answer.json();
            if (!said.items) throw new Error(`${said.title ?? `the house answered ${answer.status}`}: ${said.detail ?? ''}`);
            list.replaceChildren(...said.items.map((item) => {
              const row = document.createElement('li');
              const state = document.createElement('strong');
              state.className = item.problem ? 'state wrong' : item.state === 'not tried' ? 'state' : 'state settled';
              state.textContent = item.state;
              row.append(state, ` ${item.name}${item.problem ? `: ${item.problem}` : ''}`);
              return row;
            }));
            list.hidden = false;
            if (answer.ok) { form.elements.files.value = form.elements.pasted.value = ''; return; }
            trouble.textContent = 'Not all of it is taken. When what it says is mended, hand in the same draft again: what stands is left as it is.';
            trouble.hidden = false;
          }

          for (const name of ['dragover', 'dragleave', 'drop']) {
            main.addEventListener(name, (event) => {
              const place = event.target.closest?.('.drop');
              if (!place) return;
              event.preventDefault();
              place.classList.toggle('over', name === 'dragover');
              if (name === 'drop') place.querySelector('input').files = event.dataTransfer.files;
            });
          }
        """
}

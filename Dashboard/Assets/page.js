// Follows the stream of the run and puts each part in its place. Nothing is asked for twice: what is new comes by itself.
'use strict';

const silence = 25_000; // the server is never silent for so long
const unseen = 20_000; // a tab that nobody sees lets go of its connection: a browser has six for one host
const byId = id => document.getElementById(id);
const places = new Map([...document.querySelectorAll('[data-part]')].map(e => [e.dataset.part, e]));

// The token comes behind the #, which no server sees, and is kept for this tab alone.
let token = new URLSearchParams(location.hash.slice(1)).get('token');
if (token) {
  sessionStorage.setItem('token', token);
  history.replaceState(null, '', location.pathname);
} else {
  token = sessionStorage.getItem('token');
}

let state = JSON.parse(document.documentElement.dataset.state || '{}');
let over = false;
let newest = document.documentElement.dataset.seen;

function headers() {
  return token ? { Authorization: `Bearer ${token}` } : {};
}

function linked(how, word) {
  document.documentElement.dataset.link = how;
  if (byId('link-word').textContent !== word) byId('link-word').textContent = word;
}

// --- The stream ---------------------------------------------------------------------------------

function take(event, data) {
  if (event === 'state') {
    state = JSON.parse(data);
    showState();
  } else if (event === 'over') {
    over = true;
  } else if (places.has(event)) {
    const place = places.get(event);
    if (place.innerHTML !== data) place.innerHTML = data;
  }
}

async function read(body, alive) {
  let text = '';
  const decoder = new TextDecoder();
  const reader = body.getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    alive();
    text += decoder.decode(value, { stream: true });
    for (let end; (end = text.indexOf('\n\n')) >= 0; text = text.slice(end + 2)) {
      let event = 'message';
      const data = [];
      for (const line of text.slice(0, end).split('\n')) {
        if (line.startsWith('event: ')) event = line.slice(7);
        else if (line.startsWith('data: ')) data.push(line.slice(6));
        else if (line === 'data:') data.push('');
        else if (line.startsWith('id: ')) newest = line.slice(4);
      }
      take(event, data.join('\n'));
    }
  }
}

let letGo = () => {};
let hiding = 0;
document.addEventListener('visibilitychange', () => {
  clearTimeout(hiding);
  if (document.hidden) hiding = setTimeout(() => letGo(), unseen);
});

function seen() {
  return new Promise(done => {
    if (!document.hidden) return done();
    document.addEventListener('visibilitychange', () => done(), { once: true });
  });
}

// One life of the connection. Gives true where it is worth trying again.
async function follow() {
  const abort = new AbortController();
  letGo = () => abort.abort();
  let timer = 0;
  const alive = () => {
    clearTimeout(timer);
    timer = setTimeout(() => abort.abort(), silence);
  };
  alive();
  try {
    const response = await fetch('/events', { headers: { ...headers(), 'Last-Event-ID': newest }, cache: 'no-store', signal: abort.signal });
    if (response.status === 401) {
      askToken();
      return false;
    }
    if (!response.ok) return true;
    over = false;
    linked('live', 'live');
    showState();
    await read(response.body, alive);
  } catch {
    // gone, or silent: tried again below
  } finally {
    clearTimeout(timer);
    abort.abort();
  }
  return true;
}

async function keepFollowing() {
  for (let wait = 500; ;) {
    const begun = Date.now();
    if (!await follow()) return;
    if (over) linked('over', 'the server has ended');
    else if (!document.hidden) linked('lost', 'connection lost, trying again');
    showState();
    if (Date.now() - begun > 5000) wait = 500;
    if (document.hidden) await seen();
    else await new Promise(done => setTimeout(done, over ? 5000 : wait));
    wait = Math.min(wait * 1.7, 5000);
  }
}

// --- The token ----------------------------------------------------------------------------------

function askToken() {
  linked('locked', 'a token is needed');
  byId('token-wrong').textContent = token ? 'That token is not the one of this run.' : '';
  byId('ask-token').hidden = false;
  byId('run').hidden = true;
  byId('token').focus();
}

byId('ask-token').addEventListener('submit', event => {
  event.preventDefault();
  token = byId('token').value.trim();
  sessionStorage.setItem('token', token);
  byId('ask-token').hidden = true;
  byId('run').hidden = false;
  keepFollowing();
});

// --- What may be asked of the run -----------------------------------------------------------------

function showState() {
  if (state.title) document.title = state.title;
  const may = Boolean(token) && state.control && document.documentElement.dataset.link === 'live';
  byId('controls').hidden = !may;
  byId('hold').textContent = { pausing: 'Do not pause', paused: 'Go on' }[state.status] ?? 'Pause after this round';
}

async function ask(what) {
  const response = await fetch(`/control/${what}`, { method: 'POST', headers: headers(), cache: 'no-store' }).catch(() => null);
  if (!response?.ok) byId('link-word').textContent = response?.status === 401 ? 'the token is wrong' : 'that could not be asked';
}

byId('hold').addEventListener('click', () => ask(state.status === 'running' ? 'pause' : 'go-on'));
byId('stop').addEventListener('click', () => byId('confirm').showModal());
byId('confirm').addEventListener('close', () => {
  if (byId('confirm').returnValue === 'yes') ask('stop');
  byId('confirm').returnValue = '';
});

keepFollowing();

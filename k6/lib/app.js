// The app's work as functions; each checks what it gets and makes and removes its own data.

import exec from 'k6/execution';
import http from 'k6/http';
import { check, sleep } from 'k6';
import { plan } from './plan.js';

const POLL_SECONDS = 0.2;
const COMPLETED = 'completed';
const INGEST_ENDS = [COMPLETED, 'failed'];
const JOB_ENDS = [...plan.job.answered, ...plan.job.failed];

function headers() {
  return {
    'Content-Type': 'application/json',
    ...(plan.host_header ? { Host: plan.host_header } : {}),
    ...(__ENV.ACP_TOKEN ? { Authorization: `Bearer ${__ENV.ACP_TOKEN}` } : {}),
  };
}

function parameters(name) {
  return { headers: headers(), tags: { name }, timeout: '60s' };
}

// The host that this arrival asks, from first to last: another one may not have the same data.
let host = 0;

export function choose(number) {
  host = number;
}

// Arrivals go to the hosts in turn.
export function chooseInTurn() {
  choose(exec.scenario.iterationInTest);
}

function address(service) {
  const addresses = plan.addresses[service];
  return addresses[host % addresses.length];
}

function isOfRelease(response) {
  return response.headers['X-Acp-Release'] === plan.release;
}

// Returns what a body says, null when it is not JSON: thrown, it would end the arrival with its last check unrecorded.
function read(response) {
  try {
    return response.json();
  } catch (error) {
    return null;
  }
}

// Checks for a 2xx answer in JSON of the release that the run is about. Returns the body, another release's too, so
// that what was made is removed; null when there is none.
function accepted(response, name) {
  const good = response.status >= 200 && response.status < 300;
  const body = good ? read(response) : null;
  check(response, {
    [`${name}: is 2xx`]: () => good,
    [`${name}: is of the expected release`]: isOfRelease,
    ...(good ? { [`${name}: is JSON`]: () => body !== null } : {}),
  });
  return body;
}

function post(url, body, name) {
  return accepted(http.post(url, JSON.stringify(body), parameters(name)), name);
}

function get(url, name) {
  return accepted(http.get(url, parameters(name)), name);
}

// Asks for what need not be there yet: to refuse it is no failure of the release, to fail at it is.
function askEarly(url, name) {
  const early = { ...parameters(name), responseCallback: http.expectedStatuses({ min: 200, max: 499 }) };
  check(http.get(url, early), {
    [`${name}: is no server error`]: (r) => r.status >= 200 && r.status < 500,
    [`${name}: is of the expected release`]: isOfRelease,
  });
}

// Returns the job that an answer names, null when it names none.
function jobOf(body, name) {
  const id = body === null ? null : (body.job_id ?? body.id ?? null);
  check(id, { [`${name}: names a job`]: () => id !== null });
  return id === null ? null : String(id);
}

// An app without the route keeps what was made: that is not a failure of the release.
function remove(url, name) {
  http.del(url, null, {
    ...parameters(name),
    responseCallback: http.expectedStatuses({ min: 200, max: 299 }, 404, 405),
  });
}

export function uniqueWord(prefix) {
  return `${prefix}${Date.now().toString(36)}${Math.random().toString(36).slice(2, 10)}`;
}

// Returns what a body says in a field, a path with dots, as the stack file writes it; null when it has none.
function told(body, field) {
  const value = field.split('.').reduce((found, part) => (found === null ? null : (found[part] ?? null)), body);
  return value === null ? null : String(value);
}

// Checks that health and readiness say in their bodies what the stack asks for: their status code says nothing.
export function isWell(service) {
  for (const { name, path, field, equals } of plan.states[service]) {
    const body = get(`${address(service)}${path}`, name);
    check(body, { [`${name}: says ${equals}`]: (b) => told(b, field) === equals });
  }
}

export function paste(text) {
  const document = { text, origin: 'k6', sensitivity: 'internal' };
  return jobOf(post(`${address('ingest')}/api/v1/ingest/paste`, document, 'paste'), 'paste');
}

export function waitForIngest(jobId) {
  const url = `${address('ingest')}/api/v1/ingest/status/${jobId}`;
  const status = follow(url, 'ingest_status', INGEST_ENDS, plan.timeout_seconds);
  return check(status, { 'ingest: completed': (s) => s === COMPLETED });
}

// Tells whether the pasted `text` is among the results of asking for it.
export function searchFinds(text) {
  const body = post(`${address('ingest')}/api/v1/search`, { query: text, limit: 5 }, 'search');
  return check(body, {
    'search: finds the document': (b) =>
      b !== null && Array.isArray(b.results) && JSON.stringify(b.results).includes(text),
  });
}

export function removeDocument(jobId) {
  remove(`${address('ingest')}/api/v1/ingest/documents/${jobId}`, 'remove_document');
}

// Hands in the stack's own job, with `text` in its place.
export function startJob(text) {
  const job = JSON.parse(JSON.stringify(plan.job.body), (_, value) =>
    typeof value === 'string' ? value.split('{text}').join(text) : value,
  );
  return jobOf(post(`${address('agents')}/api/v1/jobs`, job, 'start_job'), 'start_job');
}

// A job that asks its user back has answered, too; only a completed one must have results.
export function waitForJob(jobId) {
  const url = `${address('agents')}/api/v1/jobs/${jobId}`;
  const status = follow(url, 'job', JOB_ENDS, plan.job.timeout_seconds);
  if (!check(status, { 'job: is answered': (s) => plan.job.answered.includes(s) })) return;
  (status === COMPLETED ? get : askEarly)(`${url}/results`, 'job_results');
}

export function removeJob(jobId) {
  remove(`${address('agents')}/api/v1/jobs/${jobId}`, 'remove_job');
}

// Asks until a job is in one of its last statuses, or time is over, and returns its status.
function follow(url, name, ends, seconds) {
  const deadline = Date.now() + seconds * 1000;
  let status = 'unknown';
  while (Date.now() < deadline) {
    const job = get(url, name);
    status = job ? job.status : status;
    if (ends.includes(status)) break;
    sleep(POLL_SECONDS);
  }
  return status;
}

// The app's work as functions; each checks what it gets and makes and removes its own data.

import exec from 'k6/execution';
import http from 'k6/http';
import { check, sleep } from 'k6';
import { plan } from './plan.js';

const POLL_SECONDS = 0.2;

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

// Checks for a 2xx answer of the release that the run is about. Returns the body, another release's too, so that what
// was made is removed; null when there is none.
function accepted(response, name) {
  const good = response.status >= 200 && response.status < 300;
  check(response, {
    [`${name}: is 2xx`]: () => good,
    [`${name}: is of the expected release`]: (r) => r.headers['X-Acp-Release'] === plan.release,
  });
  return good && response.body ? response.json() : null;
}

function post(url, body, name) {
  return accepted(http.post(url, JSON.stringify(body), parameters(name)), name);
}

function get(url, name) {
  return accepted(http.get(url, parameters(name)), name);
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

// Checks that a body says what it must: the status code of the health pages says nothing.
export function healthy(service, path, status, name) {
  const body = get(`${address(service)}${path}`, name);
  return check(body, { [`${name}: says ${status}`]: (b) => b !== null && b.status === status });
}

export function paste(text) {
  const body = post(
    `${address('ingest')}/api/v1/ingest/paste`,
    { text, origin: 'k6', sensitivity: 'internal' },
    'paste',
  );
  return body && body.job_id;
}

export function waitForIngest(jobId) {
  const status = follow(`${address('ingest')}/api/v1/ingest/status/${jobId}`, 'ingest_status');
  return check(status, { 'ingest: completed': (s) => s === 'completed' });
}

// Tells whether the pasted `text` is among the results of asking for it.
export function searchFinds(text) {
  const body = post(`${address('ingest')}/api/v1/search`, { query: text, limit: 5 }, 'search');
  return check(body, {
    'search: finds the document': (b) => b !== null && JSON.stringify(b.results).includes(text),
  });
}

export function removeDocument(jobId) {
  remove(`${address('ingest')}/api/v1/ingest/documents/${jobId}`, 'remove_document');
}

export function startJob(question, rounds, paceSeconds) {
  const body = post(
    `${address('agents')}/api/v1/jobs`,
    { question, rounds, pace_seconds: paceSeconds },
    'start_job',
  );
  return body && (body.job_id || body.id);
}

export function waitForJob(jobId) {
  const url = `${address('agents')}/api/v1/jobs/${jobId}`;
  const result = follow(url, 'job') === 'completed' ? get(`${url}/results`, 'job_results') : null;
  return check(result, { 'job: has a result': (r) => r !== null && Boolean(r.result) });
}

export function removeJob(jobId) {
  remove(`${address('agents')}/api/v1/jobs/${jobId}`, 'remove_job');
}

// Asks until a job is over and returns its last status.
function follow(url, name) {
  const deadline = Date.now() + plan.timeout_seconds * 1000;
  let status = 'unknown';
  while (Date.now() < deadline) {
    const job = get(url, name);
    status = job ? job.status : status;
    if (status === 'completed' || status === 'failed') break;
    sleep(POLL_SECONDS);
  }
  return status;
}

// The app's work as functions; each checks what it gets and makes and removes its own data.

import http from 'k6/http';
import { check, sleep } from 'k6';

const JSON_HEADERS = { 'Content-Type': 'application/json' };
const POLL_SECONDS = 0.2;

// `judged` requests count for the latency threshold; following a job and tidying up do not.
function parameters(name, kind) {
  return { headers: JSON_HEADERS, tags: { name, kind: kind || 'aside' }, timeout: '120s' };
}

// Checks a 2xx answer and, when the run names a release, that this release gave it. Returns the body or null.
function accepted(response, name) {
  const release = __ENV.ACP_RELEASE;
  const good = check(response, {
    [`${name}: is 2xx`]: (r) => r.status >= 200 && r.status < 300,
    [`${name}: is of the expected release`]: (r) => !release || r.headers['X-Acp-Release'] === release,
  });
  if (!good || !response.body) return null;
  return response.json();
}

function post(url, body, name, kind) {
  return accepted(http.post(url, JSON.stringify(body), parameters(name, kind)), name);
}

function get(url, name, kind) {
  return accepted(http.get(url, parameters(name, kind)), name);
}

export function uniqueWord(prefix) {
  return `${prefix}${Date.now().toString(36)}${Math.random().toString(36).slice(2, 10)}`;
}

// Checks that a body says what it must: the status code of the health pages says nothing.
export function healthy(base, path, status) {
  const body = get(`${base}${path}`, path);
  return check(body, { [`${path}: says ${status}`]: (b) => b !== null && b.status === status });
}

export function paste(base, text) {
  const body = post(
    `${base}/api/v1/ingest/paste`,
    { text, origin: 'k6', sensitivity: 'internal' },
    'paste',
    'judged',
  );
  return body && body.job_id;
}

export function waitForIngest(base, jobId, timeoutSeconds) {
  const deadline = Date.now() + timeoutSeconds * 1000;
  let status = 'unknown';
  while (Date.now() < deadline) {
    const job = get(`${base}/api/v1/ingest/status/${jobId}`, 'ingest status');
    status = job ? job.status : status;
    if (status === 'completed' || status === 'failed') break;
    sleep(POLL_SECONDS);
  }
  return check(status, { 'ingest: completed': (s) => s === 'completed' });
}

// Tells whether the pasted `text` is among the results of asking for it.
export function searchFinds(base, text) {
  const body = post(`${base}/api/v1/search`, { query: text, limit: 5 }, 'search', 'judged');
  return check(body, {
    'search: finds the document': (b) => b !== null && JSON.stringify(b.results).includes(text),
  });
}

// Removes a document. An app without this route keeps it: that is not a failure of the release.
export function removeDocument(base, jobId) {
  http.del(`${base}/api/v1/ingest/documents/${jobId}`, null, {
    tags: { name: 'remove document', kind: 'aside' },
    responseCallback: http.expectedStatuses({ min: 200, max: 299 }, 404, 405),
  });
}

export function startJob(base, question, rounds, paceSeconds) {
  const body = post(`${base}/api/v1/jobs`, { question, rounds, pace_seconds: paceSeconds }, 'start job', 'judged');
  return body && (body.job_id || body.id);
}

export function waitForJob(base, jobId, timeoutSeconds) {
  const deadline = Date.now() + timeoutSeconds * 1000;
  let status = 'unknown';
  while (Date.now() < deadline) {
    const job = get(`${base}/api/v1/jobs/${jobId}`, 'job');
    status = job ? job.status : status;
    if (status === 'completed' || status === 'failed') break;
    sleep(POLL_SECONDS);
  }
  const result = status === 'completed' ? get(`${base}/api/v1/jobs/${jobId}/results`, 'job results') : null;
  return check(result, { 'job: has a result': (r) => r !== null && Boolean(r.result) });
}

export function removeJob(base, jobId) {
  http.del(`${base}/api/v1/jobs/${jobId}`, null, {
    tags: { name: 'remove job', kind: 'aside' },
    responseCallback: http.expectedStatuses({ min: 200, max: 299 }, 404, 405),
  });
}

// Once through everything a user does: health by its body, a document pasted and found, a question answered.
//
//   k6 run -e ACP_INGEST_URL=https://host:8000 -e ACP_AGENTS_URL=https://host:8001 [-e ACP_RELEASE=v1.4.2-1a2b3c4d] k6/smoke.js

import { address, number } from './lib/config.js';
import * as app from './lib/app.js';
import { summaryOf } from './lib/summary.js';

const INGEST = address('ACP_INGEST_URL');
const AGENTS = address('ACP_AGENTS_URL');
const TIMEOUT_SECONDS = number('ACP_TIMEOUT_SECONDS', 60);

export const options = {
  scenarios: { smoke: { executor: 'per-vu-iterations', vus: 1, iterations: 1, maxDuration: '5m' } },
  thresholds: {
    // Four health pages, paste, its status, search, job, its state, its result: a run that sent less did not get through.
    http_reqs: ['count>=10'],
    http_req_failed: ['rate==0'],
    checks: ['rate==1'],
  },
  summaryTrendStats: ['med', 'p(95)', 'p(99)', 'max'],
};

export default function smoke() {
  for (const base of [INGEST, AGENTS]) {
    app.healthy(base, '/health', 'healthy');
    app.healthy(base, '/health/ready', 'ready');
  }
  const word = app.uniqueWord('smoke');
  const text = `The ${word} report says that the smoke run went through.`;
  const document = app.paste(INGEST, text);
  if (!document) return;
  try {
    if (app.waitForIngest(INGEST, document, TIMEOUT_SECONDS)) app.searchFinds(INGEST, text);
    const job = app.startJob(AGENTS, `What does the ${word} report say?`, 1, 0);
    if (job) {
      app.waitForJob(AGENTS, job, TIMEOUT_SECONDS);
      app.removeJob(AGENTS, job);
    }
  } finally {
    app.removeDocument(INGEST, document);
  }
}

export const handleSummary = summaryOf('smoke');

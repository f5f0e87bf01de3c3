// Questions arrive at a constant rate; each is followed to its answer, and removed.
//
//   k6 run -e ACP_AGENTS_URL=https://host:8001 [-e ACP_RATE=1 -e ACP_DURATION_SECONDS=30 -e ACP_P95_MS=500] k6/agents.js

import { address, constantRate, number } from './lib/config.js';
import * as app from './lib/app.js';
import { summaryOf } from './lib/summary.js';

const AGENTS = address('ACP_AGENTS_URL');
const TIMEOUT_SECONDS = number('ACP_TIMEOUT_SECONDS', 60);

export const options = constantRate({
  rate: number('ACP_RATE', 1),
  durationSeconds: number('ACP_DURATION_SECONDS', 30),
  iterationSeconds: 10,
  requestsPerIteration: 3,
  p95Ms: number('ACP_P95_MS', 500),
});

export default function agents() {
  const job = app.startJob(AGENTS, `What changed in quarter ${app.uniqueWord('q')}?`, 1, 0);
  if (!job) return;
  app.waitForJob(AGENTS, job, TIMEOUT_SECONDS);
  app.removeJob(AGENTS, job);
}

export const handleSummary = summaryOf('agents');

// All kinds of work that the plan has, side by side, as users make it.

export { options } from './lib/plan.js';
export { handleSummary } from './lib/summary.js';
export { setup, search, teardown } from './search.js';
export { ingest } from './ingest.js';
export { agents } from './agents.js';
export { smoke } from './smoke.js';

// What a run is told, by its environment alone: ACP_PLAN (JSON of `acp-release load`: k6 options, addresses, release,
// agents job) and, where the app wants one, ACP_TOKEN. A run without a plan ends before any traffic.

function read() {
  if (!__ENV.ACP_PLAN) throw new Error('ACP_PLAN is not set: start this script with `acp-release load`');
  return JSON.parse(__ENV.ACP_PLAN);
}

export const plan = read();
export const { options } = plan;

// Read now: k6 changes the options that it is given.
const scenarios = Object.keys(plan.options.scenarios);

export function runs(scenario) {
  return scenarios.includes(scenario);
}

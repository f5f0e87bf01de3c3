// The end of a run as JSON in the file that ACP_SUMMARY_FILE names: a shape of our own, as k6's own summary changes
// between versions. `infra/adapters/k6.py` reads it and refuses any other shape.

function failedChecks(group) {
  const own = (group.checks || []).filter((c) => c.fails > 0).map((c) => ({ name: c.name, fails: c.fails }));
  return own.concat(...(group.groups || []).map(failedChecks));
}

function metric(found) {
  const thresholds = Object.entries(found.thresholds || {}).map(([text, state]) => [text, state.ok]);
  return { type: found.type, values: found.values, thresholds: Object.fromEntries(thresholds) };
}

export function handleSummary(data) {
  const tagged = Object.entries(data.metrics).filter(([name]) => name.includes('{scenario:'));
  const figures = {
    seconds: data.state.testRunDurationMs / 1000,
    metrics: Object.fromEntries(tagged.map(([name, found]) => [name, metric(found)])),
    failed_checks: failedChecks(data.root_group),
  };
  return { [__ENV.ACP_SUMMARY_FILE]: `${JSON.stringify(figures, null, 2)}\n` };
}

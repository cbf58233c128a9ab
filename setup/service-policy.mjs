// Debian starts the services of packages as it installs them, unless this says no (policy-rc.d(8)).
import { readFileSync, rmSync, writeFileSync } from 'node:fs';

const PATH = '/usr/sbin/policy-rc.d';
const POLICY = `#!/bin/sh
# Of Kobune's setup, while it installs packages: only their programs are wanted.
exit 101
`;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/**
 * Forbids to start services, unless the machine has a policy of its own. Answers the function that allows it again, which
 * is called, too, when a signal ends this process. What a killed run has left goes as well.
 */
export function forbidServices(path = PATH) {
  const present = read(path);
  if (present !== undefined && present !== POLICY) return () => {};
  writeFileSync(path, POLICY, { mode: 0o755 });
  const allow = () => {
    for (const signal of SIGNALS) process.off(signal, onSignal);
    rmSync(path, { force: true });
  };
  const onSignal = (signal) => {
    allow();
    process.kill(process.pid, signal);
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return allow;
}

function read(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

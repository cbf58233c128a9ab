import type { Terminal } from './terminal.ts';

export async function doctor(_terminal: Terminal, _directory: string, _options: { json: boolean }): Promise<void> {}

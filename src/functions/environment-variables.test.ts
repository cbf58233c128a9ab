import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type CloudEndpoint, functionVariables, type VariableContext } from './environment-variables.ts';

describe("a function's variables", () => {
  const inside = 'http://169.254.100.1:4566';
  const seen = (value: string, outsidePort?: number): string => {
    const endpoint: CloudEndpoint = { url: inside, outsidePort, caFile: undefined, caBundleFile: undefined };
    const spec = { environment: { VALUE: value }, logging: {} } as unknown as VariableContext['spec'];
    const context = { spec, endpoint, runtime: { family: 'python' }, credentials: {} } as unknown as VariableContext;
    return functionVariables(context).VALUE!;
  };

  it('have addresses of this cloud as they are inside a sandbox', () => {
    for (const host of ['127.0.0.1', 'localhost', '[::1]', 'LOCALHOST']) {
      assert.equal(seen(`http://${host}:4566/000000000000/orders`, 4566), `${inside}/000000000000/orders`);
    }
    assert.equal(seen('https://127.0.0.1:4566', 4566), inside);
  });

  it('keep every other value', () => {
    const others = [
      'http://127.0.0.1:45660/x',
      'http://127.0.0.1:8080/x',
      'http://127.0.0.1/x',
      'http://localhost.example:4566/x',
      'http://127.0.0.1:4566@example.com/x',
      'see http://127.0.0.1:4566/x',
      'https://sqs.us-east-1.amazonaws.com/000000000000/orders',
    ];
    for (const value of others) assert.equal(seen(value, 4566), value);
  });

  it('keep them all where a function reaches this cloud as everybody does', () => {
    assert.equal(seen('http://127.0.0.1:4566/1'), 'http://127.0.0.1:4566/1');
  });
});

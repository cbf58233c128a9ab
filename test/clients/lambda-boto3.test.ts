import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { type LambdaServer, ROLE, startLambdaServer } from './lambda-server.ts';

const PYTHON = '/usr/bin/python3';
const HAS_BOTO3 = existsSync(PYTHON) && existsSync('/usr/lib/python3/dist-packages/boto3');
const run = promisify(execFile);

const SCRIPT = `
import io, json, sys, zipfile
import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

client = boto3.client('lambda', endpoint_url=sys.argv[1], region_name='us-east-1',
                      aws_access_key_id='test', aws_secret_access_key='test',
                      config=Config(retries={'max_attempts': 0}))
package = io.BytesIO()
with zipfile.ZipFile(package, 'w') as archive:
    archive.writestr('app.py', 'import os\\ndef handler(event, context):\\n    return {"sum": event["a"] + event["b"], "name": context.function_name}\\n')
client.create_function(FunctionName='sum', Runtime='python3.11', Role=sys.argv[2], Handler='app.handler',
                       Code={'ZipFile': package.getvalue()}, Timeout=10, MemorySize=256)
client.get_waiter('function_active_v2').wait(FunctionName='sum', WaiterConfig={'Delay': 1})
answer = client.invoke(FunctionName='sum', Payload=json.dumps({'a': 1, 'b': 2}), LogType='Tail')
failed = client.invoke(FunctionName='sum', Payload=b'{}')
try:
    client.create_function(FunctionName='sum', Runtime='python3.11', Role=sys.argv[2], Handler='app.handler',
                           Code={'ZipFile': package.getvalue()})
    conflict = None
except ClientError as error:
    conflict = error.response['Error']['Code'], error.response['ResponseMetadata']['HTTPStatusCode']
try:
    client.get_function(FunctionName='none')
except client.exceptions.ResourceNotFoundException as error:
    missing = str(error)
print(json.dumps({
    'status': answer['StatusCode'],
    'value': json.loads(answer['Payload'].read()),
    'error': failed.get('FunctionError'),
    'failure': json.loads(failed['Payload'].read()),
    'conflict': conflict,
    'missing': missing,
}))
`;

describe('Lambda through boto3', { skip: HAS_BOTO3 ? false : 'python3-boto3 is not installed' }, () => {
  let server: LambdaServer;
  before(async () => {
    server = await startLambdaServer();
  });
  after(() => server?.[Symbol.asyncDispose]());

  it('creates, waits, invokes, and gets typed errors', async () => {
    const { stdout } = await run(PYTHON, ['-c', SCRIPT, server.endpoint, ROLE]);
    const result = JSON.parse(stdout) as Record<string, unknown>;
    assert.equal(result.status, 200);
    assert.deepEqual(result.value, { sum: 3, name: 'sum' });
    assert.equal(result.error, 'Unhandled');
    assert.equal((result.failure as { errorType: string }).errorType, 'KeyError');
    assert.deepEqual(result.conflict, ['ResourceConflictException', 409]);
    assert.match(String(result.missing), /Function not found/);
  });
});

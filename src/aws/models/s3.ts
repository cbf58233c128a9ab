import './schema-modules.ts';
import type { ServiceModel } from '../schema/model.ts';

export const s3Model: ServiceModel = {
  name: 's3',
  protocols: ['restXml'],
  version: '2006-03-01',
  xmlNamespace: 'http://s3.amazonaws.com/doc/2006-03-01/',
  contentTypes: { '*': 'binary/octet-stream' },
  s3: true,
  schemas: () => import('@aws-sdk/client-s3/dist-es/schemas/schemas_0.js'),
};

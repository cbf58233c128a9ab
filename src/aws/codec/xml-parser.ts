import { SaxesParser } from 'saxes';
import { MalformedInput, maximumDepth } from './malformed.ts';

export interface XmlElement {
  /** Without its prefix. */
  readonly name: string;
  /** As written, prefix included. */
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: XmlElement[];
  text: string;
}

/**
 * Parses a document into its root element. Refuses document type declarations, so that no entity can be defined:
 * neither one that expands without end nor one that names a file.
 */
export function parseXml(body: Uint8Array): XmlElement {
  const parser = new SaxesParser({ xmlns: false, position: false });
  const open: XmlElement[] = [];
  let root: XmlElement | undefined;
  parser.on('doctype', () => {
    throw new MalformedInput('Document type declarations are not allowed');
  });
  parser.on('opentag', (tag) => {
    const colon = tag.name.indexOf(':');
    const element: XmlElement = {
      name: colon < 0 ? tag.name : tag.name.slice(colon + 1),
      attributes: tag.attributes,
      children: [],
      text: '',
    };
    const parent = open.at(-1);
    if (parent) parent.children.push(element);
    else root = element;
    open.push(element);
    if (open.length > maximumDepth) throw new MalformedInput('The document is nested too deeply');
  });
  parser.on('closetag', () => {
    open.pop();
  });
  const text = (value: string): void => {
    const element = open.at(-1);
    if (element) element.text += value;
  };
  parser.on('text', text);
  parser.on('cdata', text);
  parser.on('error', (error) => {
    throw new MalformedInput(`The XML you provided was not well-formed: ${error.message}`);
  });
  parser.write(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8')).close();
  if (!root) throw new MalformedInput('The XML document is empty');
  return root;
}

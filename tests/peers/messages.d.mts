/** The messages of {@link ./messages.mjs}. */
export function messages(): readonly (string | Uint8Array<ArrayBuffer>)[];
/** Whether a message came back as it was sent. */
export function sameMessage(actual: unknown, expected: string | Uint8Array): boolean;

// The name of the panel's element.

export const PANEL_TAG = 'vertebra-review';

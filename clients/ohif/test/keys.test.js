import assert from 'node:assert/strict';
import { test } from 'node:test';
import { actionOf, binding, featureKey, isTyping } from '../src/keys.js';

const press = (key, code = '', more = {}) => ({ key, code, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...more });

test('digits go by place: with Shift on a French keyboard, and on the number pad', () => {
  assert.equal(binding(press('&', 'Digit1')), '1');
  assert.equal(binding(press('3', 'Numpad3')), '3');
  assert.equal(binding(press('"', 'Digit2', { shiftKey: true })), 'Shift+2');
});

test('letters go by what is printed on the key', () => {
  assert.equal(binding(press('q', 'KeyA')), 'Q');
  assert.equal(binding(press('B', 'KeyB', { shiftKey: true })), 'Shift+B');
});

test('keys are named as on their buttons', () => {
  assert.equal(binding(press('ArrowUp', 'ArrowUp', { shiftKey: true })), 'Shift+↑');
  assert.equal(binding(press(' ', 'Space')), 'Space');
  assert.equal(binding(press('Escape', 'Escape')), 'Esc');
  assert.equal(binding(press('z', 'KeyZ', { ctrlKey: true })), 'Ctrl+Z');
  assert.equal(binding(press('z', 'KeyZ', { metaKey: true })), 'Ctrl+Z');
  assert.equal(binding(press('+', 'BracketRight', { shiftKey: true })), '+');
});

test('while a note is typed, letters are letters; Esc and Ctrl+Enter still act', () => {
  const bound = new Map([['U', 'undo'], ['Esc', 'cancel'], ['Ctrl+Enter', 'submit'], ['Enter', 'submit']]);
  const note = { tagName: 'TEXTAREA' };
  assert.equal(actionOf(bound, { ...press('u', 'KeyU'), target: note }), null);
  assert.equal(actionOf(bound, { ...press('Enter', 'Enter'), target: note }), null);
  assert.equal(actionOf(bound, { ...press('Escape', 'Escape'), target: note }), 'cancel');
  assert.equal(actionOf(bound, { ...press('Enter', 'Enter', { ctrlKey: true }), target: note }), 'submit');
  assert.equal(actionOf(bound, { ...press('u', 'KeyU'), target: { tagName: 'BUTTON' } }), 'undo');
  assert.equal(actionOf(bound, { ...press('u', 'KeyU'), isComposing: true }), null);
});

test('sliders and buttons are no fields to type in', () => {
  assert.equal(isTyping({ tagName: 'INPUT', type: 'range' }), false);
  assert.equal(isTyping({ tagName: 'INPUT', type: 'text' }), true);
  assert.equal(isTyping({ tagName: 'SELECT' }), true);
  assert.equal(isTyping({ tagName: 'DIV', isContentEditable: true }), true);
  assert.equal(isTyping(null), false);
});

test('fifteen features have fifteen keys', () => {
  assert.equal(featureKey(0), 'Shift+A');
  assert.equal(featureKey(14), 'Shift+O');
});

-- Typing leaves the journal after hours, long before the rest.
CREATE INDEX journal_typing ON journal (at) WHERE kind = 'typingIndicatorReceived';

-- How many images somebody has uploaded lately.
CREATE INDEX images_owner ON images (owner, created_on);

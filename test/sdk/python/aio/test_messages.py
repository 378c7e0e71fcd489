from azure.communication.chat import ChatMessageType

from support import UNKNOWN_MESSAGE, all_of, assert_about, just_after, now, refused, seconds, user_id, user_ids

TEXT, HTML = ChatMessageType.TEXT, ChatMessageType.HTML
PARTICIPANT_ADDED, TOPIC_UPDATED = ChatMessageType.PARTICIPANT_ADDED, ChatMessageType.TOPIC_UPDATED


async def test_thread_begins_with_two_system_messages(person, thread):
    ada, ben, cleo = await person("Ada"), await person("Ben"), await person("Cleo")
    _, view = await thread("Beginnings", ada, ben, cleo)

    topic_updated, participant_added = await all_of(view(ben).list_messages())

    assert participant_added.type == PARTICIPANT_ADDED
    assert participant_added.sequence_id == "1"
    assert user_id(participant_added.content.initiator) == ada.id
    added = participant_added.content.participants
    assert user_ids(added) == [ada.id, ben.id, cleo.id]
    assert [participant.display_name for participant in added] == [None, "Ben", "Cleo"]

    assert topic_updated.type == TOPIC_UPDATED
    assert topic_updated.sequence_id == "2"
    assert topic_updated.content.topic == "Beginnings"
    assert user_id(topic_updated.content.initiator) == ada.id

    for message in participant_added, topic_updated:
        assert message.sender is None
        assert message.sender_display_name is None


async def test_text_message_comes_back_as_it_was_sent(person, thread):
    ada, ben = await person("Ada"), await person("Ben")
    _, view = await thread("Text", ada, ben)
    content = 'Zażółć gęślą jaźń 🚀 <not html> & "quotes"\nsecond line'
    metadata = {"priority": "high", "trace id": "α/β"}

    sent = await view(ada).send_message(content, sender_display_name="Ada L.", metadata=metadata)

    message = await view(ben).get_message(sent.id)
    assert message.id == sent.id
    assert message.version == sent.id
    assert message.type == TEXT
    assert message.sequence_id == "3"
    assert message.content.message == content
    assert message.content.attachments == []
    assert message.sender_display_name == "Ada L."
    assert user_id(message.sender) == ada.id
    assert message.metadata == metadata
    assert_about(now(), message.created_on)
    assert message.created_on == seconds(sent.id)
    assert message.edited_on is None
    assert message.deleted_on is None


async def test_html_message_keeps_type_and_harmless_tags(person, thread):
    ada = await person("Ada")
    _, view = await thread("Html", ada)
    content = "<p>Hello <strong>there</strong></p>"
    sent = await view(ada).send_message(content, chat_message_type=HTML)
    message = await view(ada).get_message(sent.id)
    assert message.type == HTML
    assert message.content.message == content


async def test_messages_are_listed_newest_first(person, thread):
    ada, ben = await person("Ada"), await person("Ben")
    _, view = await thread("Order", ada, ben)
    await view(ada).send_message("one")
    await view(ben).send_message("two", sender_display_name="Ben")
    await view(ada).send_message("<b>three</b>", chat_message_type="html")

    messages = await all_of(view(ben).list_messages())
    assert [(message.sequence_id, message.type, message.content.message) for message in messages] == [
        ("5", HTML, "<b>three</b>"),
        ("4", TEXT, "two"),
        ("3", TEXT, "one"),
        ("2", TOPIC_UPDATED, None),
        ("1", PARTICIPANT_ADDED, None),
    ]
    assert user_id(messages[1].sender) == ben.id
    assert messages[1].sender_display_name == "Ben"


async def test_pages_of_two_hold_each_message_once(person, thread):
    ada = await person("Ada")
    _, view = await thread("Pages", ada)
    for content in "abcd":
        await view(ada).send_message(content)

    pages = [await all_of(page) async for page in view(ada).list_messages(results_per_page=2).by_page()]

    # A full page is always followed by another, so an even number ends with an empty page.
    assert [len(page) for page in pages] == [2, 2, 2, 0]
    assert [message.sequence_id for page in pages for message in page] == ["6", "5", "4", "3", "2", "1"]


async def test_messages_from_a_start_time(person, thread):
    ada = await person("Ada")
    _, view = await thread("Start", ada)
    old, recent = await view(ada).send_message("old"), await view(ada).send_message("recent")
    messages = await all_of(view(ada).list_messages(start_time=just_after(old.id)))
    assert [message.id for message in messages] == [recent.id]


async def test_edit_changes_content_and_metadata(person, thread):
    ada, ben = await person("Ada"), await person("Ben")
    _, view = await thread("Edit", ada, ben)
    sent = await view(ada).send_message("draft", metadata={"kept": "1", "changed": "2", "gone": "3"})
    before = await view(ada).get_message(sent.id)

    await view(ada).update_message(sent.id, "final", metadata={"changed": "20", "added": "4", "gone": ""})

    after = await view(ben).get_message(sent.id)
    assert after.content.message == "final"
    assert after.metadata == {"kept": "1", "changed": "20", "added": "4"}
    assert_about(now(), after.edited_on)
    assert after.sequence_id == before.sequence_id
    assert after.created_on == before.created_on
    assert int(after.version) > int(before.version)


async def test_deleted_message_stays_as_an_empty_one(person, thread):
    ada, ben = await person("Ada"), await person("Ben")
    _, view = await thread("Delete", ada, ben)
    sent = await view(ada).send_message("oops", metadata={"key": "value"})

    await view(ada).delete_message(sent.id)

    message = await view(ben).get_message(sent.id)
    assert message.content is None or not message.content.message
    assert_about(now(), message.deleted_on)
    assert message.sequence_id == "3"


async def test_nobody_changes_anothers_message(person, thread):
    ada, ben = await person("Ada"), await person("Ben")
    _, view = await thread("Mine", ada, ben)
    sent = await view(ada).send_message("mine")

    with refused(403):
        await view(ben).update_message(sent.id, "yours")
    with refused(403):
        await view(ben).delete_message(sent.id)

    message = await view(ada).get_message(sent.id)
    assert message.content.message == "mine"
    assert message.edited_on is None


async def test_message_ids_that_lead_nowhere(person, thread):
    ada = await person("Ada")
    _, view = await thread("Ids", ada)
    with refused(400):
        await view(ada).get_message("invalid_chat_message_id")
    with refused(404):
        await view(ada).get_message(UNKNOWN_MESSAGE)


async def test_read_receipt_is_listed(person, thread):
    ada, ben = await person("Ada"), await person("Ben")
    _, view = await thread("Receipts", ada, ben)
    first, second = await view(ada).send_message("read me"), await view(ada).send_message("and me")
    assert await all_of(view(ada).list_read_receipts()) == []

    await view(ben).send_read_receipt(first.id)
    await view(ben).send_read_receipt(second.id)

    [receipt] = await all_of(view(ada).list_read_receipts())
    assert user_id(receipt.sender) == ben.id
    assert receipt.chat_message_id == second.id
    assert_about(now(), receipt.read_on)
    with refused(404):
        await view(ben).send_read_receipt(UNKNOWN_MESSAGE)


async def test_typing_notification_is_taken(person, thread):
    ada, ben = await person("Ada"), await person("Ben")
    _, view = await thread("Typing", ada, ben)
    assert await view(ada).send_typing_notification() is None
    assert await view(ben).send_typing_notification(sender_display_name="Ben") is None

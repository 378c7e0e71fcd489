package chatd.sdk;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.azure.communication.chat.models.ChatMessage;
import com.azure.communication.chat.models.ChatMessageReadReceipt;
import com.azure.communication.chat.models.ChatMessageType;
import com.azure.communication.chat.models.ListChatMessagesOptions;
import com.azure.communication.chat.models.SendChatMessageOptions;
import com.azure.communication.chat.models.TypingNotificationOptions;
import com.azure.communication.chat.models.UpdateChatMessageOptions;
import com.azure.core.util.Context;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

@ParameterizedClass
@EnumSource
class MessagesTest extends SdkTest {
    MessagesTest(Transport transport) {
        super(transport);
    }

    @Test
    void threadBeginsWithTwoSystemMessages() {
        Person ada = person("Ada");
        Person ben = person("Ben");
        Person cleo = person("Cleo");
        String threadId = thread("Beginnings", ada, ben, cleo);

        List<ChatMessage> messages = all(ben.in(threadId).listMessages());
        assertEquals(
                List.of(ChatMessageType.TOPIC_UPDATED, ChatMessageType.PARTICIPANT_ADDED),
                messages.stream().map(ChatMessage::getType).toList());

        ChatMessage topicUpdated = messages.get(0);
        assertEquals("Beginnings", topicUpdated.getContent().getTopic());
        assertEquals(ada.id(), idOf(topicUpdated.getContent().getInitiator()));

        ChatMessage participantAdded = messages.get(1);
        assertEquals(ada.id(), idOf(participantAdded.getContent().getInitiator()));
        assertEquals(
                List.of(ada.id(), ben.id(), cleo.id()),
                idsOf(participantAdded.getContent().getParticipants()));
        List<String> names = new ArrayList<>();
        participantAdded.getContent().getParticipants().forEach(added -> names.add(added.getDisplayName()));
        assertEquals(Arrays.asList(null, "Ben", "Cleo"), names);

        for (ChatMessage message : messages) {
            assertNull(message.getSender());
            assertNull(message.getSenderDisplayName());
        }
    }

    @Test
    void textMessageComesBackAsItWasSent() {
        Person ada = person("Ada");
        Person ben = person("Ben");
        String threadId = thread("Text", ada, ben);
        String content = "Zażółć gęślą jaźń 🚀 <not html> & \"quotes\"\nsecond line";
        Map<String, String> metadata = Map.of("priority", "high", "trace id", "α/β");

        String id = ada.in(threadId)
                .sendMessage(new SendChatMessageOptions()
                        .setContent(content)
                        .setType(ChatMessageType.TEXT)
                        .setSenderDisplayName("Ada L.")
                        .setMetadata(metadata))
                .getId();

        ChatMessage message = ben.in(threadId).getMessage(id);
        assertEquals(id, message.getId());
        assertEquals(id, message.getVersion());
        assertEquals(ChatMessageType.TEXT, message.getType());
        assertEquals(content, message.getContent().getMessage());
        assertEquals("Ada L.", message.getSenderDisplayName());
        assertEquals(ada.id(), idOf(message.getSender()));
        assertEquals(metadata, message.getMetadata());
        assertAbout(OffsetDateTime.now(), message.getCreatedOn());
        assertEquals(secondsOf(id), message.getCreatedOn());
        assertNull(message.getEditedOn());
        assertNull(message.getDeletedOn());
    }

    @Test
    void htmlMessageKeepsTypeAndHarmlessTags() {
        Person ada = person("Ada");
        String threadId = thread("Html", ada);
        String content = "<p>Hello <strong>there</strong></p>";
        String id = sendHtml(ada, threadId, content);
        ChatMessage message = ada.in(threadId).getMessage(id);
        assertEquals(ChatMessageType.HTML, message.getType());
        assertEquals(content, message.getContent().getMessage());
    }

    @Test
    void messagesAreListedNewestFirst() {
        Person ada = person("Ada");
        Person ben = person("Ben");
        String threadId = thread("Order", ada, ben);
        String one = send(ada, threadId, "one");
        String two = send(ben, threadId, "two");
        String three = sendHtml(ada, threadId, "<b>three</b>");

        List<ChatMessage> messages = all(ben.in(threadId).listMessages());
        assertEquals(
                List.of(
                        ChatMessageType.HTML,
                        ChatMessageType.TEXT,
                        ChatMessageType.TEXT,
                        ChatMessageType.TOPIC_UPDATED,
                        ChatMessageType.PARTICIPANT_ADDED),
                messages.stream().map(ChatMessage::getType).toList());
        assertEquals(List.of(three, two, one), idsOfMessages(messages).subList(0, 3));
        assertEquals("two", messages.get(1).getContent().getMessage());
        assertEquals(ben.id(), idOf(messages.get(1).getSender()));
    }

    @Test
    void pagesOfTwoHoldEachMessageOnce() {
        Person ada = person("Ada");
        String threadId = thread("Pages", ada);
        List<String> sent = new ArrayList<>();
        for (String content : List.of("a", "b", "c", "d")) {
            sent.add(send(ada, threadId, content));
        }

        ListChatMessagesOptions byTwo = new ListChatMessagesOptions().setMaxPageSize(2);
        List<List<ChatMessage>> pages = pages(ada.in(threadId).listMessages(byTwo, Context.NONE));

        // A full page is always followed by another, so an even number ends with an empty page.
        assertEquals(List.of(2, 2, 2, 0), sizes(pages));
        List<ChatMessage> messages = pages.stream().flatMap(List::stream).toList();
        Collections.reverse(sent);
        assertEquals(sent, idsOfMessages(messages).subList(0, 4));
        assertEquals(6, idsOfMessages(messages).stream().distinct().count());
    }

    @Test
    void messagesFromAStartTime() {
        Person ada = person("Ada");
        String threadId = thread("Start", ada);
        String old = send(ada, threadId, "old");
        String recent = send(ada, threadId, "recent");
        ListChatMessagesOptions options = new ListChatMessagesOptions().setStartTime(justAfter(old));
        List<ChatMessage> messages = all(ada.in(threadId).listMessages(options, Context.NONE));
        assertEquals(List.of(recent), idsOfMessages(messages));
    }

    @Test
    void editChangesContentAndMetadata() {
        Person ada = person("Ada");
        Person ben = person("Ben");
        String threadId = thread("Edit", ada, ben);
        String id = ada.in(threadId)
                .sendMessage(new SendChatMessageOptions()
                        .setContent("draft")
                        .setMetadata(Map.of("kept", "1", "changed", "2", "gone", "3")))
                .getId();
        ChatMessage before = ada.in(threadId).getMessage(id);

        ada.in(threadId)
                .updateMessage(
                        id,
                        new UpdateChatMessageOptions()
                                .setContent("final")
                                .setMetadata(Map.of("changed", "20", "added", "4", "gone", "")));

        ChatMessage after = ben.in(threadId).getMessage(id);
        assertEquals("final", after.getContent().getMessage());
        assertEquals(Map.of("kept", "1", "changed", "20", "added", "4"), after.getMetadata());
        assertAbout(OffsetDateTime.now(), after.getEditedOn());
        assertEquals(before.getCreatedOn(), after.getCreatedOn());
        assertTrue(Long.parseLong(after.getVersion()) > Long.parseLong(before.getVersion()), after::getVersion);
    }

    @Test
    void deletedMessageStaysAsAnEmptyOne() {
        Person ada = person("Ada");
        Person ben = person("Ben");
        String threadId = thread("Delete", ada, ben);
        String id = send(ada, threadId, "oops");

        ada.in(threadId).deleteMessage(id);

        ChatMessage message = ben.in(threadId).getMessage(id);
        String text = message.getContent() == null ? null : message.getContent().getMessage();
        assertTrue(text == null || text.isEmpty(), text);
        assertAbout(OffsetDateTime.now(), message.getDeletedOn());
    }

    @Test
    void nobodyChangesAnothersMessage() {
        Person ada = person("Ada");
        Person ben = person("Ben");
        String threadId = thread("Mine", ada, ben);
        String id = send(ada, threadId, "mine");

        UpdateChatMessageOptions yours = new UpdateChatMessageOptions().setContent("yours");
        assertStatus(403, () -> ben.in(threadId).updateMessage(id, yours));
        assertStatus(403, () -> ben.in(threadId).deleteMessage(id));

        ChatMessage message = ada.in(threadId).getMessage(id);
        assertEquals("mine", message.getContent().getMessage());
        assertNull(message.getEditedOn());
    }

    @Test
    void messageIdsThatLeadNowhere() {
        Person ada = person("Ada");
        String threadId = thread("Ids", ada);
        assertStatus(400, () -> ada.in(threadId).getMessage("invalid_chat_message_id"));
        assertStatus(404, () -> ada.in(threadId).getMessage(UNKNOWN_MESSAGE));
    }

    @Test
    void readReceiptIsListed() {
        Person ada = person("Ada");
        Person ben = person("Ben");
        String threadId = thread("Receipts", ada, ben);
        String first = send(ada, threadId, "read me");
        String second = send(ada, threadId, "and me");
        assertEquals(List.of(), all(ada.in(threadId).listReadReceipts()));

        ben.in(threadId).sendReadReceipt(first);
        ben.in(threadId).sendReadReceipt(second);

        List<ChatMessageReadReceipt> receipts = all(ada.in(threadId).listReadReceipts());
        assertEquals(1, receipts.size());
        assertEquals(ben.id(), idOf(receipts.get(0).getSender()));
        assertEquals(second, receipts.get(0).getChatMessageId());
        assertAbout(OffsetDateTime.now(), receipts.get(0).getReadOn());
        assertStatus(404, () -> ben.in(threadId).sendReadReceipt(UNKNOWN_MESSAGE));
    }

    @Test
    void typingNotificationIsTaken() {
        Person ada = person("Ada");
        Person ben = person("Ben");
        String threadId = thread("Typing", ada, ben);
        TypingNotificationOptions options = new TypingNotificationOptions().setSenderDisplayName("Ben");
        int named = ben.in(threadId).sendTypingNotificationWithResponse(options, Context.NONE).getStatusCode();
        int plain = ada.in(threadId).sendTypingNotificationWithResponse(Context.NONE).getStatusCode();
        assertEquals(200, named);
        assertEquals(200, plain);
    }

    private static String sendHtml(Person sender, String threadId, String content) {
        SendChatMessageOptions options =
                new SendChatMessageOptions().setContent(content).setType(ChatMessageType.HTML);
        return sender.in(threadId).sendMessage(options).getId();
    }

    private static List<String> idsOfMessages(List<ChatMessage> messages) {
        return messages.stream().map(ChatMessage::getId).toList();
    }
}

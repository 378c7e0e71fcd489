package chatd.sdk;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.azure.communication.chat.models.ChatError;
import com.azure.communication.chat.models.ChatMessage;
import com.azure.communication.chat.models.ChatMessageType;
import com.azure.communication.chat.models.ChatParticipant;
import com.azure.communication.chat.models.ChatThreadItem;
import com.azure.communication.chat.models.ChatThreadProperties;
import com.azure.communication.chat.models.CreateChatThreadOptions;
import com.azure.communication.chat.models.CreateChatThreadResult;
import com.azure.communication.chat.models.ListChatThreadsOptions;
import com.azure.communication.common.CommunicationUserIdentifier;
import com.azure.core.util.Context;
import java.time.OffsetDateTime;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

@ParameterizedClass
@EnumSource
class ThreadsTest extends SdkTest {
    ThreadsTest(Transport transport) {
        super(transport);
    }

    @Test
    void createThreadWithTwoParticipants() {
        Person ada = person("Ada");
        Person ben = person("Ben");
        Person cleo = person("Cleo");
        CreateChatThreadResult result = ada.chat().createChatThread(new CreateChatThreadOptions("Launch")
                .addParticipant(ben.participant())
                .addParticipant(cleo.participant())
                .setIdempotencyToken(UUID.randomUUID().toString()));

        ChatThreadProperties properties = result.getChatThread();
        assertTrue(properties.getId().matches("19:[A-Za-z0-9_-]+@thread\\.v2"), properties::getId);
        assertEquals("Launch", properties.getTopic());
        assertEquals(ada.id(), idOf(properties.getCreatedBy()));
        assertAbout(OffsetDateTime.now(), properties.getCreatedOn());
        assertEquals(List.of(), orEmpty(result.getInvalidParticipants()));

        List<ChatParticipant> participants = all(ada.in(properties.getId()).listParticipants());
        assertEquals(List.of(ada.id(), ben.id(), cleo.id()), idsOf(participants));
        assertEquals(
                Arrays.asList(null, "Ben", "Cleo"),
                participants.stream().map(ChatParticipant::getDisplayName).collect(Collectors.toList()));
    }

    @Test
    void sameIdempotencyTokenGivesTheSameThread() {
        Person ada = person("Ada");
        Person ben = person("Ben");
        CreateChatThreadOptions options = new CreateChatThreadOptions("Once").addParticipant(ben.participant());

        options.setIdempotencyToken(UUID.randomUUID().toString());
        ChatThreadProperties first = ada.chat().createChatThread(options).getChatThread();
        ChatThreadProperties again = ada.chat().createChatThread(options).getChatThread();
        options.setIdempotencyToken(UUID.randomUUID().toString());
        ChatThreadProperties other = ada.chat().createChatThread(options).getChatThread();

        assertEquals(first.getId(), again.getId());
        assertEquals(first.getCreatedOn(), again.getCreatedOn());
        assertNotEquals(first.getId(), other.getId());
        assertEquals(Set.of(first.getId(), other.getId()), topicsOf(ada).keySet());
    }

    @Test
    void participantOfAnotherResourceIsInvalid() {
        Person ada = person("Ada");
        Person ben = person("Ben");
        CommunicationUserIdentifier stranger = foreignUser();
        CreateChatThreadResult result = ada.chat().createChatThread(new CreateChatThreadOptions("Guests")
                .addParticipant(ben.participant())
                .addParticipant(new ChatParticipant().setCommunicationIdentifier(stranger)));

        assertEquals(1, result.getInvalidParticipants().size());
        ChatError error = result.getInvalidParticipants().get(0);
        assertEquals("403", error.getCode());
        assertEquals(stranger.getId(), error.getTarget());
        assertEquals("Permissions check failed", error.getMessage());
        String threadId = result.getChatThread().getId();
        assertEquals(List.of(ada.id(), ben.id()), idsOf(ada.in(threadId).listParticipants()));
    }

    @Test
    void listOfThreadsHoldsTheUsersThreads() {
        Person ada = person("Ada");
        Person ben = person("Ben");
        String shared = thread("Shared", ada, ben);
        String alone = thread("Alone", ada);
        assertEquals(Map.of(shared, "Shared", alone, "Alone"), topicsOf(ada));
        assertEquals(Map.of(shared, "Shared"), topicsOf(ben));
    }

    @Test
    void listOfThreadsComesInPagesLastWrittenToFirst() {
        Person ada = person("Ada");
        String one = thread("One", ada);
        thread("Two", ada);
        thread("Three", ada);
        // The two messages that begin a thread have two milliseconds, however fast the thread was made: the third
        // message here is later than both of any thread.
        send(ada, one, "up");
        send(ada, one, "and");
        String sent = send(ada, one, "up");

        ListChatThreadsOptions byTwo = new ListChatThreadsOptions().setMaxPageSize(2);
        List<List<ChatThreadItem>> pages = pages(ada.chat().listChatThreads(byTwo, Context.NONE));
        assertTrue(sizes(pages).stream().allMatch(size -> size <= 2), () -> sizes(pages).toString());
        List<ChatThreadItem> items = pages.stream().flatMap(List::stream).toList();
        assertEquals(
                List.of("One", "Three", "Two"),
                items.stream().map(ChatThreadItem::getTopic).toList());
        assertEquals(secondsOf(sent), items.get(0).getLastMessageReceivedOn());
    }

    @Test
    void propertiesAreTheSameForEveryParticipant() {
        Person ada = person("Ada");
        Person ben = person("Ben");
        String threadId = thread("Properties", ada, ben);
        for (Person person : List.of(ada, ben)) {
            ChatThreadProperties properties = person.in(threadId).getProperties();
            assertEquals(threadId, properties.getId());
            assertEquals("Properties", properties.getTopic());
            assertEquals(ada.id(), idOf(properties.getCreatedBy()));
            assertAbout(OffsetDateTime.now(), properties.getCreatedOn());
        }
    }

    @Test
    void newTopicIsShownAndTold() {
        Person ada = person("Ada");
        Person ben = person("Ben");
        String threadId = thread("Before", ada, ben);

        ben.in(threadId).updateTopic("After");

        assertEquals("After", ada.in(threadId).getProperties().getTopic());
        List<ChatMessage> messages = all(ada.in(threadId).listMessages());
        assertEquals(3, messages.size());
        assertEquals(ChatMessageType.TOPIC_UPDATED, messages.get(0).getType());
        assertEquals("After", messages.get(0).getContent().getTopic());
        assertEquals(ben.id(), idOf(messages.get(0).getContent().getInitiator()));
        assertEquals(Map.of(threadId, "After"), topicsOf(ada));
    }

    @Test
    void deletedThreadIsGoneAndListedAsDeleted() {
        Person ada = person("Ada");
        Person ben = person("Ben");
        String threadId = thread("Short", ada, ben);
        send(ben, threadId, "Bye");

        ada.chat().deleteChatThread(threadId);

        assertStatus(404, () -> ada.in(threadId).getProperties());
        assertStatus(404, () -> all(ben.in(threadId).listMessages()));
        assertStatus(404, () -> send(ben, threadId, "Too late"));
        List<ChatThreadItem> items = all(ada.chat().listChatThreads());
        assertEquals(1, items.size());
        assertEquals(threadId, items.get(0).getId());
        assertAbout(OffsetDateTime.now(), items.get(0).getDeletedOn());
    }

    private static Map<String, String> topicsOf(Person person) {
        return person.chat().listChatThreads().stream()
                .collect(Collectors.toMap(ChatThreadItem::getId, ChatThreadItem::getTopic));
    }

    private static <T> List<T> orEmpty(List<T> list) {
        return list == null ? List.of() : list;
    }
}

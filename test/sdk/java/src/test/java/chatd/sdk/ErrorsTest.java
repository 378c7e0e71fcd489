package chatd.sdk;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.azure.communication.chat.ChatClient;
import com.azure.communication.chat.ChatThreadClient;
import com.azure.communication.chat.models.ChatParticipant;
import com.azure.communication.chat.models.CreateChatThreadOptions;
import com.azure.communication.common.CommunicationUserIdentifier;
import java.util.List;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

@ParameterizedClass
@EnumSource
class ErrorsTest extends SdkTest {
    ErrorsTest(Transport transport) {
        super(transport);
    }

    @Test
    void tokenThatNobodySignedIsRefused() {
        ChatClient chat = chatFor(garbageToken());
        assertStatus(401, () -> all(chat.listChatThreads()));
        assertStatus(401, () -> chat.createChatThread(new CreateChatThreadOptions("Nothing")));
    }

    @Test
    void outsiderMayNotRead() {
        Person ada = person("Ada");
        Person eve = person("Eve");
        String threadId = thread("Private", ada);
        assertStatus(403, () -> all(eve.in(threadId).listMessages()));
        assertStatus(403, () -> eve.in(threadId).getProperties());
        assertStatus(403, () -> send(eve, threadId, "Hi"));
    }

    @Test
    void unknownThreadIsNotFound() {
        String hex = UUID.randomUUID().toString().replace("-", "");
        ChatThreadClient thread = person("Ada").in("19:" + hex + "@thread.v2");
        assertStatus(404, thread::getProperties);
        assertStatus(404, () -> all(thread.listParticipants()));
    }

    @Test
    void malformedParticipantIdFailsTheWholeCall() {
        Person ada = person("Ada");
        Person ben = person("Ben");
        String threadId = thread("Malformed", ada);
        ChatParticipant malformed = new ChatParticipant()
                .setCommunicationIdentifier(new CommunicationUserIdentifier("8:acs:invalidUserId"));
        List<ChatParticipant> participants = List.of(ben.participant(), malformed);

        assertStatus(400, () -> ada.in(threadId).addParticipants(participants));
        CreateChatThreadOptions options = new CreateChatThreadOptions("Malformed").setParticipants(participants);
        assertStatus(400, () -> ada.chat().createChatThread(options));

        assertEquals(List.of(ada.id()), idsOf(ada.in(threadId).listParticipants()));
    }
}

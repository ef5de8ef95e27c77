"""What the synthetic corpus says: sentences of each emotion, and sentences that any emotion may use."""

SHARED = (
    "The train to the coast leaves from platform seven at noon.",
    "We put the boxes in the kitchen beside the green door.",
    "She told me that the meeting was moved to Thursday morning.",
    "There are two letters for you on the table in the hall.",
    "He walked along the river until he reached the old bridge.",
    "They are going to paint the upper windows of the house again.",
    "I will call the office and ask about the papers tomorrow.",
    "The children took their bicycles and went down to the lake.",
)

SENTENCES = {
    "anger": (
        "Stop lying to me, I have had enough of your stupid excuses!",
        "How dare you read my private letters without even asking me!",
        "Get out of my house right now and never come back here!",
        "This is outrageous, you broke it again and you blame me for it!",
        "I am sick and tired of waiting for you every single day!",
        "Shut up and listen, this is your fault and nobody else's!",
        "You cheated me, and I want every penny of my money back!",
        "I hate the way you shout at people who cannot fight back!",
    ),
    "happiness": (
        "This is wonderful news, we are going to have a baby!",
        "I passed the exam and I got the best mark of all, fantastic!",
        "What a beautiful morning, let us all go dancing in the park!",
        "We won the game, I love this team and I am so happy!",
        "Thank you so much, this is the best present I ever got!",
        "I am so glad to see you, it is going to be a great party!",
        "They said yes, we can move into our lovely new home in May!",
        "Look at that, the puppies are playing and laughing with the kids!",
    ),
    "neutral": (
        "The report has eleven pages and a short table at the end.",
        "Please write your name and the date on the first line.",
        "The shop opens at nine and closes at half past six.",
        "Turn left at the second crossing and follow the main road.",
        "The blue folder holds the list of rooms and their numbers.",
        "This machine needs a new filter about every three months.",
        "The bus stops in front of the library and the town hall.",
        "Add a cup of water and stir it for about two minutes.",
    ),
    "sadness": (
        "I miss my mother so much, the house is empty without her.",
        "He died last winter, and I never said goodbye to him.",
        "I lost everything I had, and nobody is left to help me.",
        "I cried all night because she is never coming home again.",
        "It hurts to remember how lonely those last years were.",
        "We buried the old dog under the tree, and I still grieve.",
        "I failed again, I am sorry, I am just so tired of it all.",
        "They left without a word, and my heart is broken.",
    ),
}
